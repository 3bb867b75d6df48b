"""Whether the steps of this process still write windows for a run: not once its job was stopped.

A runner that is told to cancel a job lets what it is at go on. Of 14 jobs with windows of a second, each stopped on a
busy machine, one wrote a part of the window after the last one, which no manifest told of.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import OutputInUse
from transforms.core.output.layout import Output


class Publishing:
    """The windows that this process is writing for one run, and the end of that."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._now = 0
        self._is_over = False

    @contextmanager
    def one(self) -> Iterator[None]:
        """Around the writing of one window of one bucket; raises OutputInUse where the run is over."""
        with self._changed:
            if self._is_over:
                raise OutputInUse("the run of this worker is over; nothing more is written for it")
            self._now += 1
        try:
            yield
        finally:
            with self._changed:
                self._now -= 1
                self._changed.notify_all()

    def end(self) -> None:
        """Returns when nothing is being written; from then on nothing will be."""
        with self._changed:
            self._is_over = True
            self._changed.wait_for(lambda: self._now == 0)


def publishing_of(output: Output) -> Publishing:
    """That of this process for the run which holds the output."""
    with _lock:
        return _of_runs.setdefault((output.path, output.claim), Publishing())


_of_runs: dict[tuple[str, str], Publishing] = {}
_lock = threading.Lock()
