"""How many processes share a batch job's work, on the runner that is our own choice."""

import sys
from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

from pipelines.runners.known import BATCH, DEFAULTS
from pipelines.workers.cores import usable_cores, usable_memory_bytes
from pipelines.workers.processes import Workers
from pipelines.workers.room import advice, worker_bytes
from transforms.core.ranges import Range

OF_ONE_MACHINE = DEFAULTS[BATCH]
"""Beam's runner on which this job runs where none is named, and for which workers and spilling are ours."""

WORTH_IT_BYTES = 32 * 1024 * 1024
"""An input from this size on is shared out among all cores. Measured on two: of 16 MB a run takes 4.4 s in one process
and 4.3 s with two workers, of 32 MB 4.7 and 4.4, of 64 MB 5.9 and 4.7; each worker makes its steps ready for a CPU
second."""

_PROCESSES = "multi_processing"


def is_of_one_machine(options: PipelineOptions) -> bool:
    """Whether the job runs on the runner of one machine: all its workers see the same disk."""
    return bool(options.view_as(StandardOptions).runner in (None, OF_ONE_MACHINE))


def started_workers(options: Any, ranges: Sequence[Range], buckets: int) -> Workers:
    """Processes that wait for the job's work; none where its own process does it.

    Begun before the job has threads: see `processes`. `--direct_num_workers` and `--direct_running_mode` count where
    they are given; a number without a mode means processes, and 0 means all cores, as far as there is memory for them.
    Says on stderr where there is not enough for one.
    """
    if not is_of_one_machine(options):
        return Workers(0)
    memory_bytes = usable_memory_bytes()
    if told := advice(ranges, buckets, memory_bytes):
        print(told, file=sys.stderr, flush=True)
    room = memory_bytes // worker_bytes(ranges, buckets)
    return Workers(_count(options, options.given_flags, ranges, max(room, 1)))


def _count(options: PipelineOptions, flags: set[str], ranges: Sequence[Range], room: int) -> int:
    direct: Any = options.view_as(DirectOptions)
    number = direct.direct_num_workers if "--direct_num_workers" in flags else None
    mode = direct.direct_running_mode if "--direct_running_mode" in flags else None
    if mode not in (None, _PROCESSES):
        return 0
    if number is None and mode is None and sum(part.stored_bytes for part in ranges) < WORTH_IT_BYTES:
        return 0
    count = number or min(usable_cores(), room, len(ranges))
    return int(count) if count > 1 else 0
