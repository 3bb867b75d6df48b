"""Payloads on which our own code fails: found by halves, put aside one by one, counted, told once each bug.

A bug that one payload brings out must not cost the others. A bug that every
payload brings out must not empty the input into quarantine: past a bound the
run stops.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from schemas.errors import InternalError, PipelineError
from transforms.core.guard import bug_of

MOST_UNPROCESSABLE = 1000
_MOST_SHARE = 1000  # one event in so many, where that is more
_LOG = logging.getLogger(__name__)
_Items = TypeVar("_Items", list, np.ndarray)
_Done = TypeVar("_Done")

STOPPING = (PipelineError, OSError)
"""What is no payload's fault: keys, storage, the machine. Lack of memory is not among them: smaller parts need less."""


def in_parts(
    items: _Items, work: Callable[[_Items], _Done], alone: Callable[[_Items, Exception], _Done]
) -> Iterator[_Done]:
    """The work on all items; where it fails, on each half by itself; `alone` gets the item on which it fails alone.

    `work` must leave nothing behind where it fails. STOPPING passes.
    """
    waiting = [items]
    while waiting:
        part = waiting.pop()
        try:
            done = work(part)
        except STOPPING:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a bug of ours; `alone` tells it
            if len(part) > 1:
                waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
                continue
            done = alone(part, error)
        yield done


@dataclass
class _State:
    events: int = 0
    aside: int = 0
    told: set[str] = field(default_factory=set)


_STATES: dict[str, _State] = {}
_LOCK = threading.Lock()


class Unprocessable:
    """Counts, in this process, what one run puts aside; made with the run's graph, and told it by all its steps."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._run = secrets.token_hex(8)

    def saw(self, events: int) -> None:
        """Adds to the events of which at most a share may go aside."""
        with _LOCK:
            self._state.events += events

    def add(self, error: Exception) -> None:
        """Counts one payload, and names its bug in the log the first time: type and place, never content.

        Raises InternalError where more went aside than may.
        """
        bug = bug_of(error)
        with _LOCK:
            state = self._state
            state.aside += 1
            is_new = bug not in state.told
            state.told.add(bug)
            count, limit = state.aside, self._limit(state)
        if is_new:
            _LOG.warning("%s: a bug of the pipeline; a payload that brings it out is quarantined as unprocessable", bug)
        if count > limit:
            raise InternalError(
                f"{bug}; this is a bug of the pipeline, and the {count} payloads on which our own code fails are more "
                f"than --max_unprocessable ({limit})"
            )

    @property
    def _state(self) -> _State:
        return _STATES.setdefault(self._run, _State())

    def _limit(self, state: _State) -> int:
        return max(MOST_UNPROCESSABLE, state.events // _MOST_SHARE) if self._most is None else self._most
