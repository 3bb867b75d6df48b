"""Shows a long run's progress: one living line on a terminal, a plain line now and then elsewhere."""

import copy
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, Protocol, TextIO

from apache_beam.metrics import MetricsFilter
from apache_beam.runners.runner import PipelineResult

from transforms.counters import DECODED_EVENTS, NAMESPACE, READ_BYTES, WRITTEN_BUCKETS

TERMINAL_INTERVAL_S = 0.5
QUIET_INTERVAL_S = 30.0
ASK_INTERVAL_S = 2.0
"""Seconds between two questions to the runner: some answer over a network."""


class Figures(NamedTuple):
    """How far a run has come."""

    read_bytes: int = 0
    events: int = 0
    buckets: int = 0


NONE = Figures()
"""Figures of a run that has just begun, or whose runner tells nothing."""


def figures_of_process() -> Figures:
    """What the steps in this process have counted since it began."""
    counters = (READ_BYTES, DECODED_EVENTS, WRITTEN_BUCKETS)
    return Figures._make(counter.in_this_process for counter in counters)


def figures_of_runner(result: PipelineResult) -> Figures:
    """What the runner of a job tells of all its workers; raises whatever its client does.

    Portable runners keep the first answer for ever in their result (2.77), so a copy of it is asked. Counts
    are committed when a bundle ends and attempted before: the larger number is the newer one.
    """
    counts = dict.fromkeys((READ_BYTES.name, DECODED_EVENTS.name, WRITTEN_BUCKETS.name), 0)
    for found in copy.copy(result).metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]:
        counts[found.key.metric.name] += max(found.attempted or 0, found.committed or 0)
    return Figures._make(counts.values())


class Telling(Protocol):
    """Processes that tell how far they have come."""

    def figures(self) -> Figures:
        """All together, since they began."""


class Progress:
    """Where the figures of one run come from: its runner, where it tells them, and the steps in this process.

    Both say at least so much, so the larger number is shown. Where there are worker processes, they tell of the steps.
    """

    def __init__(self, workers: Telling | None = None) -> None:
        self._workers = workers
        self._before = figures_of_process()
        self._result: PipelineResult | None = None
        self._told, self._asked_at_s = NONE, 0.0

    def follow(self, result: PipelineResult) -> None:
        """From now on the runner is asked about this job."""
        self._result = result

    def figures(self) -> Figures:
        """How far the run has come."""
        there = self._workers.figures() if self._workers else NONE
        here = (now - before + w for now, before, w in zip(figures_of_process(), self._before, there, strict=True))
        return Figures._make(map(max, here, self._of_runner()))

    def _of_runner(self) -> Figures:
        if self._result is not None and time.monotonic() - self._asked_at_s >= ASK_INTERVAL_S:
            self._asked_at_s = time.monotonic()
            with suppress(Exception):  # each runner's client raises classes of its own; whatever is wrong, the job's
                self._told = figures_of_runner(self._result)  # own end tells it, and a line of figures must not end it
        return self._told


def line(figures: Figures, total_bytes: int, total_buckets: int, elapsed_s: float) -> str:
    """Events, rate, share done and time left, as one line.

    Reading takes nearly all the time of a run, so the time left is that of reading, at the rate so far.
    """
    if figures == NONE:
        return f"{elapsed_s:,.0f} s; no figures yet"
    events, rate = figures.events, figures.events / max(elapsed_s, 0.001)
    if figures.buckets or figures.read_bytes >= total_bytes:
        return f"{events:,} events read, {rate:,.0f}/s; written {figures.buckets} of {total_buckets} buckets"
    share = figures.read_bytes / total_bytes
    left = f", {elapsed_s / share - elapsed_s:,.0f} s left" if share > 0.005 else ""
    return f"{events:,} events, {rate:,.0f}/s, {share:.0%} read{left}"


@contextmanager
def shown(
    total_bytes: int, total_buckets: int, out: TextIO | None = None, workers: Telling | None = None
) -> Iterator[Progress]:
    """Shows progress while the block runs: twice a second on a terminal, every 30 s elsewhere."""
    progress = Progress(workers)
    out = out or sys.stderr
    is_terminal = out.isatty()
    done = threading.Event()

    def show() -> None:
        started_s = time.monotonic()
        while not done.wait(TERMINAL_INTERVAL_S if is_terminal else QUIET_INTERVAL_S):
            text = line(progress.figures(), total_bytes, total_buckets, time.monotonic() - started_s)
            out.write(f"\r\x1b[K{text}" if is_terminal else f"{text}\n")
            out.flush()

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        done.set()
        thread.join()
        if is_terminal:
            out.write("\r\x1b[K")
            out.flush()
