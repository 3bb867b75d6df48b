"""Settings of a job on Flink that a person need not know: taken where none were given, refused where they lose data."""

import sys
from typing import Any

from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions, PortableOptions

from pipelines.runners.flags import FlinkFlags
from pipelines.runners.flink_rest import Slots, slots_of
from pipelines.runners.known import BATCH, STREAMING
from pipelines.runners.workers import ELSEWHERE

_DEFAULTS: dict[str, dict[str, Any]] = {
    # Without checkpoints Flink's own default is no restart at all, so that one killed worker ends the run.
    BATCH: {"number_of_execution_retries": 5, "execution_retry_delay": 1_000},
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


def settle_flink(options: PipelineOptions, job: str, rest: str | None) -> None:
    """Sets what was not given; says on stderr what a cluster's own settings leave unused."""
    flags: Any = options.view_as(FlinkFlags)
    for name, value in _DEFAULTS[job].items():
        if getattr(flags, name) in (None, False):
            setattr(flags, name, value)
    slots = slots_of(rest) if rest else None
    _settle_workers(options, slots)
    if job == BATCH:
        _settle_parallelism(options, slots)


def _settle_workers(options: PipelineOptions, slots: Slots | None) -> None:
    """A Python process for each slot of a task manager: Beam's default is one for all of them, on one core.

    The default is a number, and what was given is text.
    """
    portable: Any = options.view_as(PortableOptions)
    if isinstance(portable.sdk_worker_parallelism, int) and portable.environment_type in ELSEWHERE:
        portable.sdk_worker_parallelism = str(slots.most_of_one) if slots else _FLINK_CHOOSES


def _settle_parallelism(options: PipelineOptions, slots: Slots | None) -> None:
    flink: Any = options.view_as(FlinkRunnerOptions)
    if flink.parallelism == _NOT_GIVEN:
        if slots is None:
            _tell("on Flink: without --parallelism or --flink_rest its own parallelism.default counts, which is 1")
        else:
            flink.parallelism = slots.total
    elif slots and flink.parallelism < slots.total and slots.task_managers > 1 and not slots.is_spread:
        _tell(
            "on Flink: the job takes some of the slots, and the cluster fills one task manager before the next; "
            "its setting cluster.evenly-spread-out-slots: true spreads them"
        )


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
