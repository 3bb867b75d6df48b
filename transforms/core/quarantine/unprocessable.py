"""Payloads on which our own code fails: found by halving, put aside one by one, and counted; each bug is logged once.

A bug that shows with one payload must not cost the others. A bug that shows with
every payload must not send the whole input to quarantine: above a bound the run
stops.
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
_EVENTS_PER_UNPROCESSABLE = 1000  # of more than a million events, one in a thousand may go aside
_LOG = logging.getLogger(__name__)
_Items = TypeVar("_Items", list, np.ndarray)
_Done = TypeVar("_Done")

STOPPING = (PipelineError, OSError)
"""Errors that are no payload's fault: keys, storage, the machine. Not MemoryError: smaller parts need less memory."""


def in_parts(
    items: _Items, work: Callable[[_Items], _Done], alone: Callable[[_Items, Exception], _Done]
) -> Iterator[_Done]:
    """The work on all items at once; where it fails, on each half; `alone` gets an item on which it fails by itself.

    The results come in the order of the items. `work` must leave nothing behind where it fails. STOPPING passes.
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
    """Counts, in this process, the payloads that one run puts aside. All its steps share one, made with its graph."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._run = secrets.token_hex(8)

    def saw(self, events: int) -> None:
        """Counts events: of very many, a share may go aside."""
        with _LOCK:
            self._state.events += events

    def add(self, error: Exception) -> None:
        """Counts one payload. The first time, logs its bug: type and place, never content.

        Raises InternalError where more payloads went aside than may.
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
        return max(MOST_UNPROCESSABLE, state.events // _EVENTS_PER_UNPROCESSABLE) if self._most is None else self._most
