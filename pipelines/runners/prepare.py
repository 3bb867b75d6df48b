"""A job's runner, made ready before anything is written: known to be right, answering, set so that it loses nothing."""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from apache_beam.options.pipeline_options import DebugOptions, PipelineOptions, PortableOptions

from pipelines.runners.flink_rest import check_rest
from pipelines.runners.flink_settings import settle_flink
from pipelines.runners.job_server import FLINK, OTHER, engine_behind, leave_out_messages
from pipelines.runners.known import STREAMING, runner_of
from pipelines.runners.workers import check_reach, workers_elsewhere
from schemas.errors import InvalidOptions

PRISM_EXPERIMENT = "prism_disable_sdf_split"
"""Without it Prism splits slow bundles and overwrites state: 2 of 5 replays lost rows."""


def prepare_runner(options: Any, job: str, paths: Iterable[tuple[str, str | None]]) -> None:
    """Checks a job's runner and sets what it needs; `paths` are flags with values that workers must reach.

    Raises InvalidOptions on what is known to lose rows, or would fail on a worker; RunnerUnavailable where the
    engine does not answer.
    """
    runner = runner_of(options, job)
    if options.view_as(PortableOptions).output_executable_path:
        raise InvalidOptions(
            "--output_executable_path: the job must run from here, as it counts what came of its input"
        )
    if runner == "DataflowRunner" and find_spec("google.cloud.dataflow") is None:
        raise InvalidOptions("--runner=DataflowRunner: Google's packages are missing: pip install 'apache-beam[gcp]'")
    check_reach(paths, workers_elsewhere(options, runner), options.shared_filesystem)
    if options.flink_rest is not None:
        check_rest(options.flink_rest)
    leave_out_messages()
    engine = _engine(options, runner)
    if job == STREAMING:
        _check_endless(options, runner, engine)
    if engine == FLINK:
        settle_flink(options, job, options.flink_rest)
    elif options.flink_rest is not None:
        raise InvalidOptions(f"--flink_rest goes with Flink, and behind --runner={runner} is none")


def _engine(options: PipelineOptions, runner: str) -> str | None:
    """What runs the job; None is a runner that needs no server."""
    endpoint = options.view_as(PortableOptions).job_endpoint
    if runner not in ("FlinkRunner", "PortableRunner"):
        return None
    if endpoint is None:
        if runner == "PortableRunner":
            raise InvalidOptions("--runner=PortableRunner: --job_endpoint is missing: HOST:PORT of a job server")
        return FLINK
    engine = engine_behind(endpoint)
    if runner == "FlinkRunner" and engine != FLINK:
        raise InvalidOptions(f"--runner=FlinkRunner: behind --job_endpoint {endpoint} is {engine}; use PortableRunner")
    return engine


def _check_endless(options: PipelineOptions, runner: str, engine: str | None) -> None:
    is_prism = PRISM_EXPERIMENT in (options.view_as(DebugOptions).experiments or [])
    if engine in (None, FLINK) or (engine == OTHER and is_prism):
        return
    raise InvalidOptions(
        f"--runner={runner}: endless jobs run on Flink's job server, or on a Prism of your own with "
        f"--experiments={PRISM_EXPERIMENT}; behind --job_endpoint is {engine}"
    )
