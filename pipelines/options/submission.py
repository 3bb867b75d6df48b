"""What Beam (2.77) sends along with a job and beside its steps: nothing of the machine that submits it."""

from apache_beam.internal import cloudpickle_pickler
from apache_beam.internal.cloudpickle import cloudpickle
from apache_beam.options.pipeline_options import DebugOptions, PipelineOptions, SetupOptions

_NO_PACKAGE_LIST = "disable_logging_submission_environment"
"""Else the path of this Python goes along, and those of packages that are installed from folders."""


def keep_to_the_steps(options: PipelineOptions) -> None:
    """Sets a job's options, and how this process pickles.

    Functions of Beam's own travel with the path of their file, of which only the part below the packages' folder is
    left. The session of `__main__` stays here: no step is defined there.
    """
    options.view_as(DebugOptions).add_experiment(_NO_PACKAGE_LIST)
    options.view_as(SetupOptions).save_main_session = False
    for config in (cloudpickle_pickler.DEFAULT_CONFIG, cloudpickle_pickler.STABLE_CODE_IDENTIFIER_CONFIG):
        config.filepath_interceptor = cloudpickle.get_relative_path
