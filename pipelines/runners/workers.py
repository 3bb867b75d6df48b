"""Where a job's workers run, and that they reach the same files there."""

from collections.abc import Iterable
from typing import Any

from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions, PortableOptions
from apache_beam.runners.portability.flink_runner import MAGIC_HOST_NAMES

from schemas.errors import InvalidOptions
from transforms.core import storage

ELSEWHERE = ("EXTERNAL", "DOCKER", "PROCESS")
_ALLOWED = (*ELSEWHERE, "LOOPBACK")
_CONFIGURED = {
    "EXTERNAL": "HOST:PORT of a pool of workers",
    "DOCKER": "an image that has this package",
    "PROCESS": "a command that starts a worker",
}


def workers_elsewhere(options: PipelineOptions, runner: str) -> str | None:
    """In words where workers run, if it is not in this process or in children of it; None where it is.

    Raises InvalidOptions where the options do not say it: Beam's default is an image without this package.
    """
    portable: Any = options.view_as(PortableOptions)
    kind = portable.environment_type
    if runner == "DataflowRunner":
        return runner
    if kind is not None and kind not in _ALLOWED:
        raise InvalidOptions(f"--environment_type {kind}: allowed are {', '.join(_ALLOWED)}")
    if kind is None and (runner == "PortableRunner" or (runner == "FlinkRunner" and _is_a_cluster(options))):
        raise InvalidOptions(
            f"--runner={runner}: --environment_type says where workers run: EXTERNAL with "
            f"--environment_config={_CONFIGURED['EXTERNAL']}, DOCKER with {_CONFIGURED['DOCKER']}, PROCESS with "
            f"{_CONFIGURED['PROCESS']}, or LOOPBACK for this process"
        )
    if kind in ELSEWHERE and not (portable.environment_config or portable.environment_options):
        raise InvalidOptions(f"--environment_type {kind}: --environment_config is missing: {_CONFIGURED[kind]}")
    return f"--environment_type {kind}" if kind in ELSEWHERE else None


def check_reach(paths: Iterable[tuple[str, str | None]], elsewhere: str | None, is_shared: bool) -> None:
    """Raises InvalidOptions where workers elsewhere would look for a file that only this machine may have.

    `paths` are flags with their values; None is one that was not given.
    """
    local = [f"--{flag} {path}" for flag, path in paths if path and storage.is_local(path)]
    if elsewhere and local and not is_shared:
        raise InvalidOptions(
            f"workers run elsewhere ({elsewhere}) and may find other files, or none, at {', '.join(local)}; allowed "
            "are gs:// and s3:// URLs, or --shared_filesystem where these paths lead to the same files on every machine"
        )


def _is_a_cluster(options: PipelineOptions) -> bool:
    """Whether FlinkRunner was told of one; else it starts a cluster in this machine, and works in this process."""
    endpoint = options.view_as(PortableOptions).job_endpoint
    return bool(endpoint) or options.view_as(FlinkRunnerOptions).flink_master not in MAGIC_HOST_NAMES
