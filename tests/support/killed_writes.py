"""A run that ends at its n-th write, as if it were killed there: every one is tried, where a signal hits few."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from transforms.core import storage
from transforms.core.output.layout import CLAIM_FILE


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


@contextmanager
def killed_after(monkeypatch: pytest.MonkeyPatch, writes: int, *ways: str) -> Iterator[Callable[[], bool]]:
    """So many files are written in the block, whole; at the next it ends. The value says whether it was killed.

    `ways` are functions of the storage that are counted; those that write and remove key files where none are named.
    Claims are not counted.
    """
    left, killed = [writes], []

    def dying(real: Callable) -> Callable:
        def write(*args: object, **flags: object) -> object:
            if CLAIM_FILE.partition(".")[0] in str(args[0]):
                return real(*args, **flags)
            if not left[0]:
                killed.append(True)
                raise Killed
            left[0] -= 1
            return real(*args, **flags)

        return write

    with monkeypatch.context() as patch:
        for name in ways or ("write_private", "write_atomic", "remove"):
            patch.setattr(storage, name, dying(getattr(storage, name)))
        yield lambda: bool(killed)
