"""Everything below a folder as it lies there, for who must not be led astray: links are told and never followed."""

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from schemas.errors import StorageRefused
from transforms.core.storage.file_systems import explained, is_local, open_fs, open_read

_CHUNK_BYTES = 1 << 20


class Entry(NamedTuple):
    """A file by its path below the folder: `file`, `link` or `other`, as a pipe or a device is; and its size."""

    path: str
    kind: str
    size_bytes: int


def whole_tree(folder: str) -> Iterator[Entry]:
    """Every file below a folder, hidden ones included, in no order; raises StorageUnavailable where one is hidden.

    What vanishes while it is listed is not there.
    """
    fs, inner = open_fs(folder)
    with explained(folder, "list"):
        if is_local(folder):
            yield from _local_tree(inner, "")
            return
        for path, found in fs.find(inner, detail=True).items():
            yield Entry(path[len(inner.rstrip("/")) + 1 :], "file", int(found["size"]))


def _local_tree(folder: str, below: str) -> Iterator[Entry]:
    waiting = [below]
    while waiting:
        here = waiting.pop()
        try:
            entries = [*os.scandir(os.path.join(folder, here))]
        except FileNotFoundError:
            continue
        for entry in entries:
            path = f"{here}/{entry.name}" if here else entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            else:
                yield from _entry(entry, path)


def _entry(entry: "os.DirEntry[str]", path: str) -> Iterator[Entry]:
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    kind = "file" if stat.S_ISREG(found.st_mode) else "link" if stat.S_ISLNK(found.st_mode) else "other"
    yield Entry(path, kind, found.st_size)


def file_digest(path: str) -> str:
    """The SHA-256 of a file, read in parts. A local link or pipe is refused: raises StorageRefused."""
    with explained(path, "read"):
        if not is_local(path):
            with open_read(path) as file:
                return _digest_of(iter(lambda: file.read(_CHUNK_BYTES), b""))
        number = os.open(open_fs(path)[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(number, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise StorageRefused(f"cannot read {path}: it is no file")
            return _digest_of(iter(lambda: file.read(_CHUNK_BYTES), b""))


def _digest_of(parts: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
