"""The only door to files: local paths, gs:// and s3:// alike, through fsspec.

Every function raises StorageUnavailable, naming the path and the cause's kind,
where the storage refuses.
"""

import os
from typing import Any

from transforms.core.file_systems import explained, is_local, open_fs, open_read
from transforms.core.source_files import (
    InputFiles,
    SourceFile,
    check_unchanged,
    each_once,
    expand_inputs,
    input_digest,
    lies_in,
    list_tree,
    whole_folder,
)

__all__ = [
    "InputFiles",
    "SourceFile",
    "check_unchanged",
    "create_exclusive",
    "each_once",
    "exists",
    "expand_inputs",
    "file_system",
    "input_digest",
    "is_local",
    "join",
    "lies_in",
    "list_files",
    "list_folders",
    "list_tree",
    "open_read",
    "read_bytes",
    "read_start",
    "remove",
    "sweep",
    "whole_folder",
    "write_atomic",
]  # fmt: skip

_HIDDEN = ".writing-"
_HALF = (
    ".half"  # DuckDB's and Polars' globs match hidden names, too: what is not whole must not end as a data file does
)


def file_system(path: str) -> Any:
    """The fsspec file system of a URL, for a library that reads through one itself."""
    return open_fs(path)[0]


def absolute(path: str) -> str:
    """The path as a worker in another folder finds it."""
    return os.path.abspath(path) if "://" not in path else path


def join(folder: str, *names: str) -> str:
    """Path of something in a folder; works for URLs and local paths."""
    return "/".join([folder.rstrip("/"), *names])


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


def write_atomic(path: str, data: bytes) -> None:
    """Writes the whole file or nothing; a reader sees the old bytes or the new ones.

    Local: a hidden file beside, fsync, rename. Object stores: one PUT.
    """
    fs, inner = open_fs(path)
    with explained(path, "write"):
        if not is_local(path):
            fs.pipe_file(inner, data)
            return
        folder, name = os.path.split(inner)
        os.makedirs(folder, exist_ok=True)
        hidden = os.path.join(folder, f"{_HIDDEN}{name}{_HALF}")
        with open(hidden, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(hidden, inner)


def create_exclusive(path: str, data: bytes) -> bool:
    """Creates the file with these bytes; False where it is there already. Atomic everywhere.

    Object stores: one PUT on condition that nothing is there. (fsspec's own
    mode="create" looks and then writes on local files.)
    """
    fs, inner = open_fs(path)
    with explained(path, "write"):
        try:
            if not is_local(path):
                fs.pipe_file(inner, data, mode="create")
                return True
            os.makedirs(os.path.dirname(inner), exist_ok=True)
            with open(inner, "xb") as file:
                file.write(data)
        except FileExistsError:
            return False
        return True


def remove(path: str) -> None:
    """Removes a file; nothing happens where there is none."""
    fs, inner = open_fs(path)
    with explained(path, "remove"):
        try:
            fs.rm_file(inner)
        except FileNotFoundError:
            return


def list_files(folder: str) -> list[str]:
    """Names of the files right in a folder, sorted, hidden ones left out; empty where there is none."""
    return [n for n, kind in _entries(folder) if kind == "file" and not n.startswith((".", "_"))]


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


def sweep(folder: str) -> int:
    """Removes what a killed writer left half written below a local folder; returns how many."""
    if not is_local(folder):
        return 0
    _, inner = open_fs(folder)
    swept = 0
    with explained(folder, "sweep"):
        for root, _, names in os.walk(inner):
            for name in names:
                if name.startswith(_HIDDEN):
                    os.remove(os.path.join(root, name))
                    swept += 1
    return swept
