"""What is started for an endless job where no other runner is named: Prism, and the process that reads."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from apache_beam.options.pipeline_options import DebugOptions, PipelineOptions, PortableOptions, StandardOptions

from pipelines.runners.prepare import PRISM_EXPERIMENT
from pipelines.streams.prism import prism
from pipelines.streams.prism_binary import find_prism
from pipelines.streams.two_processes import Reader

_FOR_EVER_S = 100 * 366 * 86_400
"""On Prism, Beam 2.77 watches a job's state with the deadline of a single request: after 5 minutes the job was lost."""


@contextmanager
def chosen_runner(options: PipelineOptions) -> Iterator[Reader | None]:
    """Starts Prism and the process that reads where no other runner is named; gives that process.

    None stands for a runner that starts workers by itself, and tries again what fails.
    """
    standard = options.view_as(StandardOptions)
    standard.streaming = True
    portable, debug = options.view_as(PortableOptions), options.view_as(DebugOptions)
    is_own = standard.runner in (None, "PrismRunner")
    if is_own:
        debug.add_experiment(PRISM_EXPERIMENT)
    if PRISM_EXPERIMENT in (debug.experiments or []):
        portable.job_server_timeout = _FOR_EVER_S
    if not is_own:
        yield None
        return
    with prism(find_prism(getattr(options, "prism_location", None))) as endpoint, closing(Reader()) as reader:
        standard.runner = "PortableRunner"
        portable.job_endpoint, portable.environment_type = endpoint, "LOOPBACK"
        yield reader
