"""Files and folders as they lie there: read, looked at, listed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import BinaryIO

from transforms.core.storage.file_systems import explained, is_local, open_fs, open_read


@contextmanager
def opened_local(path: str) -> Iterator[BinaryIO]:
    """A local file, open to be read; one that would make the reader wait, as a pipe does, gives nothing."""
    with explained(path, "read"):
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    with file:
        yield file


def exists(path: str) -> bool:
    """Whether a file or folder is there."""
    fs, inner = open_fs(path)
    with explained(path, "look at"):
        return bool(fs.exists(inner))


def can_hold_files(folder: str) -> bool:
    """Whether a local folder is there, or a store's bucket: a prefix is there once something lies under it."""
    fs, inner = open_fs(folder)
    with explained(folder, "look at"):
        return bool(fs.isdir(inner) if is_local(folder) else fs.exists(inner.partition("/")[0]))


def read_bytes(path: str) -> bytes:
    """The whole file."""
    fs, inner = open_fs(path)
    with explained(path, "read"):
        return bytes(fs.cat_file(inner))


def read_start(path: str, size: int) -> bytes:
    """The first bytes of a file."""
    with open_read(path) as file, explained(path, "read"):
        return file.read(size)


def list_files(folder: str) -> list[str]:
    """Names of the files right in a folder, sorted, hidden ones left out; empty where there is none."""
    return [n for n, kind in _entries(folder) if kind == "file" and not n.startswith((".", "_"))]


def list_sizes(folder: str) -> dict[str, int]:
    """Names and bytes of the files right in a folder, in the order of names, hidden ones included."""
    fs, inner = open_fs(folder)
    with explained(folder, "list"):
        try:
            found = fs.ls(inner, detail=True)
        except FileNotFoundError:
            return {}
    sizes = {e["name"].rsplit("/", 1)[-1]: int(e["size"]) for e in found if e["type"] == "file"}
    return {name: sizes[name] for name in sorted(sizes) if name}


def written_at(path: str) -> datetime:
    """When the storage says that a file was written last, in UTC."""
    fs, inner = open_fs(path)
    with explained(path, "look at"):
        found: datetime = fs.modified(inner)
    return found.astimezone(UTC)


def list_folders(folder: str) -> list[str]:
    """Names of the folders right in a folder, sorted; empty where there is none."""
    return [n for n, kind in _entries(folder) if kind == "directory"]


def _entries(folder: str) -> list[tuple[str, str]]:
    fs, inner = open_fs(folder)
    with explained(folder, "list"):
        try:
            if is_local(folder):  # names alone: fsspec asks for the size and times of each, 10 us a file
                return sorted((e.name, "directory" if e.is_dir() else "file") for e in os.scandir(inner))
            found = fs.ls(inner, detail=True)
        except FileNotFoundError:
            return []
    return sorted((e["name"].rstrip("/").rsplit("/", 1)[-1], e["type"]) for e in found)
