"""How many processes share a batch job's work, on the runner that is our own choice."""

from typing import Any

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

from pipelines.options.beam_options import JobOptions
from pipelines.workers.cores import usable_cores, usable_memory_bytes
from pipelines.workers.processes import Workers

OF_ONE_MACHINE = "FnApiRunner"
"""Beam's runner on which this job runs where none is named, and for which workers and spilling are ours."""

WORTH_IT_BYTES = 16 * 1024 * 1024
"""An input from this size on is shared out among all cores. Below it the whole run takes 3 s, nearly all of them
start-up, and a second process saves less than what it costs."""

WORKER_MEMORY_BYTES = 1024**3
"""What a worker takes of memory in ordinary runs; no more workers are started than there is room for."""

_PROCESSES, _ONE = "multi_processing", "in_memory"


def is_of_one_machine(options: PipelineOptions) -> bool:
    """Whether the job runs on the runner of one machine: all its workers see the same disk."""
    return bool(options.view_as(StandardOptions).runner in (None, OF_ONE_MACHINE))


def started_workers(options: JobOptions, input_bytes: int, ranges: int) -> Workers:
    """Processes that wait for the job's work; none where its own process does it.

    Begun before the job has threads: see `processes`. `--direct_num_workers` and `--direct_running_mode` count where
    they are given; a number without a mode means processes, and 0 means all cores.
    """
    return Workers(_count(options, options.given_flags, input_bytes, ranges))


def _count(options: PipelineOptions, flags: set[str], input_bytes: int, ranges: int) -> int:
    direct: Any = options.view_as(DirectOptions)
    number = direct.direct_num_workers if "--direct_num_workers" in flags else None
    mode = direct.direct_running_mode if "--direct_running_mode" in flags else None
    if not is_of_one_machine(options) or mode not in (None, _PROCESSES):
        return 0
    if number is None and mode is None and input_bytes < WORTH_IT_BYTES:
        return 0
    count = number or min(usable_cores(), max(usable_memory_bytes() // WORKER_MEMORY_BYTES, 1), max(ranges, 1))
    return int(count) if count > 1 else 0
