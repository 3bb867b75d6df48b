"""Settings of a job on Flink that a person need not know: taken where none were given, refused where they lose data."""

import sys
from typing import Any

from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions, PortableOptions

from pipelines.runners.flags import FlinkFlags
from pipelines.runners.flink_rest import Cluster, cluster_of
from pipelines.runners.known import BATCH, STREAMING
from pipelines.runners.workers import ELSEWHERE
from schemas.errors import InvalidOptions, RunnerUnavailable

_DEFAULTS: dict[str, dict[str, Any]] = {
    BATCH: {},
    # The first checkpoint can catch the one-element bundle of the source, whose output is then never sent: most of 40
    # starts ran for ever without data. With the bundle finished before it, 40 of 40 had data.
    STREAMING: {
        "checkpointing_interval": 10_000,
        "finish_bundle_before_checkpointing": True,
        "max_bundle_time_mills": 100,
        "number_of_execution_retries": 20,
        "execution_retry_delay": 500,
    },
}
_FLINK_CHOOSES = "0"
_NOT_GIVEN = -1
_RESTARTS = (
    "in batch Flink tries again as its own settings say, restart-strategy.type: fixed-delay or exponential-delay"
)


def settle_flink(options: PipelineOptions, job: str, rest: str | None) -> None:
    """Sets what was not given; says on stderr what a cluster's own settings leave unused."""
    flags: Any = options.view_as(FlinkFlags)
    for name, value in _DEFAULTS[job].items():
        given = getattr(flags, name)
        if given is None or given is False:  # 0 was given
            setattr(flags, name, value)
    cluster = _cluster(rest, job) if rest else None
    _settle_workers(options, cluster)
    if job == BATCH:
        _check_restarts(flags, cluster)
        _settle_parallelism(options, cluster)


def _cluster(rest: str, job: str) -> Cluster | None:
    """None where an endless job begins before its cluster, as on a job server that has one for each job."""
    try:
        return cluster_of(rest)
    except RunnerUnavailable:
        if job == BATCH:
            raise
        return None


def _check_restarts(flags: Any, cluster: Cluster | None) -> None:
    """Raises InvalidOptions on flags that Flink does not get; tells where the cluster tries nothing again.

    Seen with Beam's job server of 2.70: a batch job had the cluster's strategy whatever these flags said, and that is
    none where checkpoints are off, so that one killed worker ended the run.
    """
    for name in ("number_of_execution_retries", "execution_retry_delay"):
        if getattr(flags, name) is not None:
            raise InvalidOptions(f"--{name} is for endless jobs: {_RESTARTS}")
    if cluster is not None and not cluster.restarts:
        _tell(f"on Flink: a killed worker will end the run: {_RESTARTS}")


def _settle_workers(options: PipelineOptions, cluster: Cluster | None) -> None:
    """A Python process for each slot of a task manager: Beam's default is one for all of them, on one core.

    The default is a number, and what was given is text.
    """
    portable: Any = options.view_as(PortableOptions)
    if isinstance(portable.sdk_worker_parallelism, int) and portable.environment_type in ELSEWHERE:
        portable.sdk_worker_parallelism = str(cluster.most_slots_of_one) if cluster else _FLINK_CHOOSES


def _settle_parallelism(options: PipelineOptions, cluster: Cluster | None) -> None:
    flink: Any = options.view_as(FlinkRunnerOptions)
    if flink.parallelism == _NOT_GIVEN:
        if cluster is None:
            _tell("on Flink: without --parallelism or --flink_rest its own parallelism.default counts, which is 1")
        else:
            flink.parallelism = cluster.slots
    elif cluster and flink.parallelism < cluster.slots and cluster.task_managers > 1 and not cluster.is_spread:
        _tell(
            "on Flink: the job takes some of the slots, and the cluster fills one task manager before the next; "
            "its setting cluster.evenly-spread-out-slots: true spreads them"
        )


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
