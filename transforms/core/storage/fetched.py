"""What a process has fetched from an object store and keeps: each URL once, whoever of its threads asks first."""

import threading
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

_kept: dict[tuple[str, str], object] = {}
_lock = threading.Lock()


def fetched_once(kind: str, url: str, fetch: Callable[[str], Value]) -> Value:
    """What `fetch` made of the URL, the first time that this process asked for that kind of thing there.

    A worker sets up several steps that need the same. What raises is not kept.
    """
    with _lock:  # the others wait for the first one, and ask nothing
        if (kind, url) not in _kept:
            _kept[kind, url] = fetch(url)
        return _kept[kind, url]  # type: ignore[return-value]


def forget_fetched() -> None:
    """The next run in this process fetches anew, as a ring may have been rotated since."""
    with _lock:
        _kept.clear()
