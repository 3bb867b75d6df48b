"""Half-written files: hidden, locked as long as their writer lives, and swept away when it is dead.

Each is made under a name that nobody can foresee. Where it lies on another disk than the folder for halves, a note in
that folder says where: else nobody would look there.
"""

import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from transforms.core.storage.file_systems import explained, is_local, open_fs

_HIDDEN = ".writing-"
_HALF = (
    ".half"  # DuckDB's and Polars' globs match hidden names, too: what is not whole must not end as a data file does
)
_NAME_CHARS = 100  # of a file's name in that of the hidden one, which must not be longer than a name may be
_ELSEWHERE = "on-another-disk"
"""What a note is named after; its text is the folder, below the one that the folder for halves lies in."""

_MOST_NOTE_BYTES = 16 * 1024
_LOOKING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Neither a link nor a pipe that somebody planted leads astray or makes anybody wait."""


@contextmanager
def half_of(inner: str, content: bytes | BinaryIO, mode: int, before: os.stat_result | None = None) -> Iterator[str]:
    """A hidden file beside a local one with this content on the disk, of a name that nobody can foresee and plant a
    link under; gone after the block, unless it was renamed.

    `before` hands down its mode and group, where this process may give them.
    """
    folder, name = os.path.split(inner)
    hidden = os.path.join(folder, f"{_HIDDEN}{secrets.token_hex(8)}-{name[:_NAME_CHARS]}{_HALF}")
    number = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with open(number, "wb") as file:
            with suppress(OSError):  # a disk without locks: then whoever sweeps takes it for a dead one's
                fcntl.flock(number, fcntl.LOCK_EX)
            if before is not None and stat.S_ISREG(before.st_mode):
                _hand_down(number, before)
            if isinstance(content, bytes):
                file.write(content)
            else:
                shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(number)
            yield hidden
    finally:
        with suppress(FileNotFoundError):
            os.remove(hidden)


@contextmanager
def half_elsewhere(halves: str, inner: str, data: bytes, mode: int) -> Iterator[str]:
    """The same, and while the block runs a note in the folder for halves names the folder of the file."""
    folder = os.path.relpath(os.path.dirname(inner), os.path.dirname(halves))
    with half_of(os.path.join(halves, _ELSEWHERE), os.fsencode(folder), 0o666), half_of(inner, data, mode) as hidden:
        yield hidden


def sweep(folder: str, *, deep: bool = True) -> int:
    """Removes what killed writers left half written below a local folder, or right in it; returns how many.

    What a process that lives is writing stays. Raises StorageUnavailable.
    """
    if not is_local(folder):
        return 0
    swept = 0
    with explained(folder, "sweep"):
        for root, folders, names in os.walk(open_fs(folder)[1]):
            if not deep:
                folders.clear()
            swept += sum(_swept(root, name) for name in names if name.startswith(_HIDDEN))
    return swept


def sweep_halves_of(inner: str) -> None:
    """Removes what killed writers left of one local file, beside it."""
    folder, name = os.path.split(inner)
    end = f"-{name[:_NAME_CHARS]}{_HALF}"
    for found in os.listdir(folder or "."):
        if found.startswith(_HIDDEN) and found.endswith(end):
            _swept(folder, found)


def is_half(name: str) -> bool:
    """Whether a file of that name is half of another one."""
    return name.startswith(_HIDDEN)


def _swept(folder: str, name: str) -> int:
    """Removes one, and what it names where it is a note; returns how many that were."""
    path = os.path.join(folder, name)
    if _is_written_now(path):
        return 0
    there = _noted(path) if name.endswith(f"-{_ELSEWHERE}{_HALF}") else None
    swept = sweep(os.path.join(os.path.dirname(folder), there), deep=False) if there else 0
    with suppress(FileNotFoundError):  # its writer was quicker
        os.remove(path)
        swept += 1
    return swept


def _noted(path: str) -> str | None:
    """The folder that a note names; None where it leads out of the one around it, as none of ours does."""
    try:
        with open(os.open(path, _LOOKING), "rb") as file:
            text = os.fsdecode(file.read(_MOST_NOTE_BYTES))
    except OSError:
        return None
    return None if not text or os.path.isabs(text) or ".." in text.split("/") or "\0" in text else text


def _is_written_now(path: str) -> bool:
    """Whether the process that writes it lives: that one holds a lock."""
    try:
        number = os.open(path, _LOOKING)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(number)
    return False


def _hand_down(number: int, before: os.stat_result) -> None:
    """Group and mode of the file that will be replaced, where this process may give them."""
    try:
        os.fchown(number, before.st_uid if os.geteuid() == 0 else -1, before.st_gid)
    except PermissionError:
        return
    os.fchmod(number, stat.S_IMODE(before.st_mode))
