"""The runners of endless jobs: which are allowed, with which settings, and what is started for them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from apache_beam.options.pipeline_options import DebugOptions, PipelineOptions, PortableOptions, StandardOptions

from pipelines.streams.prism import prism
from pipelines.streams.prism_binary import find_prism
from pipelines.streams.two_processes import Reader
from schemas.errors import InvalidOptions

_PRISM_EXPERIMENT = "prism_disable_sdf_split"
_FOR_EVER_S = 100 * 366 * 86_400
"""On Prism, Beam 2.77 watches a job's state with the deadline of a single request: after 5 minutes the job was lost."""


class FlinkJobOptions(PipelineOptions):
    """Flags of Flink's job server that matter here; Beam learns the others from the server itself."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        add = parser.add_argument
        add("--checkpointing_interval", type=int, metavar="MS", help="Flink: time between checkpoints.")
        add("--finish_bundle_before_checkpointing", action="store_true", default=False,
            help="Flink: needed; without it the first checkpoint may swallow the source.")  # fmt: skip
        add("--max_bundle_time_mills", type=int, metavar="MS", help="Flink: how long a bundle may last.")
        add("--number_of_execution_retries", type=int, help="Flink: restarts after a failure.")
        add("--execution_retry_delay", type=int, metavar="MS", help="Flink: wait before a restart.")
        add("--flink_rest", metavar="URL",
            help="Flink: its REST address, as in http://localhost:8081; needed to end the job.")  # fmt: skip


def check_runner(options: PipelineOptions) -> None:
    """Raises InvalidOptions on a runner's settings with which rows were lost, silently, when they were tried."""
    runner = options.view_as(StandardOptions).runner
    if runner in (None, "PrismRunner"):
        return
    if runner not in ("FlinkRunner", "PortableRunner"):
        raise InvalidOptions(
            f"--runner={runner}: allowed are PrismRunner (the default), FlinkRunner and PortableRunner; "
            "other runners do not run endless jobs of Python with timers"
        )
    flink = options.view_as(FlinkJobOptions)
    is_prism = _PRISM_EXPERIMENT in (options.view_as(DebugOptions).experiments or [])
    if runner == "PortableRunner" and is_prism:
        return
    if not (flink.finish_bundle_before_checkpointing and flink.checkpointing_interval):
        prism_way = "" if runner == "FlinkRunner" else f"; on a Prism of your own, --experiments={_PRISM_EXPERIMENT}"
        raise InvalidOptions(
            "on Flink, --checkpointing_interval=MS and --finish_bundle_before_checkpointing are needed: without them "
            f"the job may run for ever without data, or lose it{prism_way}"
        )


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
        debug.add_experiment(_PRISM_EXPERIMENT)
    if _PRISM_EXPERIMENT in (debug.experiments or []):
        portable.job_server_timeout = _FOR_EVER_S
    if not is_own:
        yield None
        return
    with prism(find_prism(getattr(options, "prism_location", None))) as endpoint, closing(Reader()) as reader:
        standard.runner = "PortableRunner"
        portable.job_endpoint, portable.environment_type = endpoint, "LOOPBACK"
        yield reader
