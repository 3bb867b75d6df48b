"""Which files an input is: names, globs, folders and prefixes -> source files, in a fixed order."""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from schemas.errors import NothingToRead, StorageRefused, StorageUnavailable
from transforms.core.storage import local_tree
from transforms.core.storage.file_systems import explained, is_local, open_fs
from transforms.core.storage.side_files import is_side_file


@dataclass(frozen=True)
class SourceFile:
    """One input file as it was when it was listed."""

    path: str
    size_bytes: int
    version: str
    """Changes whenever the file does: an object's generation or digest, a local file's time of change."""
    modified_s: float | None = None
    """Seconds since 1970 at which a local file was last written to; None for an object of a store."""

    @property
    def part(self) -> str:
        """The file's name in the positions of a stream: always text, whatever bytes its path has."""
        return f"{os.fsencode(self.path).decode(errors='backslashreplace')}@{self.version}"


class InputFiles(list[SourceFile]):
    """The files of an input, each once, sorted by path.

    `left_alone` holds the paths of the side files beside them, `without_files` the patterns that name nothing to read
    and why.
    """

    left_alone: list[str]
    without_files: dict[str, str]


def expand_inputs(patterns: list[str]) -> InputFiles:
    """Every file that paths, globs and folders name.

    A path that exists as it is written is meant literally, whatever brackets it
    has. A folder stands for all files below it; side files in folders and of globs
    are left alone. Raises NothingToRead where no pattern names anything to read,
    StorageRefused where one is the name of a pipe or a device.
    """
    found: dict[str, SourceFile] = {}
    without_files: dict[str, str] = {}
    left_alone: set[str] = set()
    for pattern in patterns:
        with explained(pattern, "read"):
            data, beside = _sorted_out(*_candidates(pattern))
        if not data:
            without_files[pattern] = _why_nothing(pattern, beside)
        found |= {info["name"]: _source_file(info) for info in data}
        left_alone |= {info["name"] for info in beside}
    if not found:
        raise NothingToRead("; ".join(f"--input {pattern}: {why}" for pattern, why in without_files.items()))
    files = InputFiles(found[path] for path in sorted(found))
    files.left_alone, files.without_files = sorted(left_alone - set(found)), without_files
    return files


def each_once(files: list[SourceFile]) -> list[SourceFile]:
    """The files without those that are links to another one of them, or the same by another path."""
    known: dict[str, SourceFile] = {}
    for file in files:
        known.setdefault(_place(file.path), file)
    return list(known.values())


def list_tree(folder: str) -> list[SourceFile]:
    """Every file below a folder, sorted by path, none where it is not there; side files are left alone."""
    with explained(folder, "list"):
        data, _ = _sorted_out(_tree(folder), open_fs(folder)[1])
    return sorted(map(_source_file, data), key=lambda file: file.path)


def _candidates(pattern: str) -> tuple[Iterable[dict[str, Any]], str | None]:
    """The files that a pattern names, with their full paths, and the folder below which side files are left alone.

    The folder is None where the pattern is a file's own name.
    """
    fs, inner = open_fs(pattern)
    is_there = os.path.lexists(inner) if is_local(pattern) else fs.exists(inner)
    if is_there and not fs.isdir(inner):
        return [_info(pattern)], None
    if is_there:
        return _tree(pattern), inner
    if not glob.has_magic(pattern):
        return [], None
    if is_local(pattern):
        whole = local_tree.as_pattern(os.path.expanduser(pattern.removeprefix("file://")))
        return local_tree.matches(whole), glob_root(whole)
    return _named(fs, fs.glob(inner, detail=True).values()), glob_root(inner)


def glob_root(pattern: str) -> str:
    """The folder in which a glob begins to look."""
    parts = pattern.split("/")
    first = next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return "/".join(parts[:first])


def _tree(folder: str) -> Iterable[dict[str, Any]]:
    fs, inner = open_fs(folder)
    return local_tree.files_below(inner) if is_local(folder) else _named(fs, fs.find(inner, detail=True).values())


def _named(fs: Any, infos: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """An object store's files, their names as URLs."""
    for info in infos:
        if info["type"] == "file":
            yield {**info, "name": fs.unstrip_protocol(info["name"]), "mtime": None}


def _info(path: str) -> dict[str, Any]:
    fs, inner = open_fs(path)
    if is_local(path):
        if (found := local_tree.info_of(inner)) is None:
            raise FileNotFoundError(2, os.strerror(2))
        return found
    return next(_named(fs, [fs.info(inner)]))


def _sorted_out(
    infos: Iterable[dict[str, Any]], folder: str | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The files that are read, and those that are left alone; without a folder, all are read."""
    data: list[dict[str, Any]] = []
    beside: list[dict[str, Any]] = []
    for info in infos:
        parts = info["name"].rpartition(folder)[2].split("/") if folder else [info["name"]]
        is_beside = info["type"] != "file" or (folder is not None and is_side_file(parts))
        (beside if is_beside else data).append(info)
    return data, beside


def _why_nothing(pattern: str, beside: list[dict[str, Any]]) -> str:
    if not beside:
        return "no such file, folder or match"
    if beside[0]["type"] != "file":
        raise StorageRefused(f"--input {pattern}: a pipe or a device; allowed are files")
    names = ", ".join(info["name"].rpartition("/")[2] for info in beside[:3])
    return f"nothing but {len(beside)} side files, which are left alone ({names}); name one by itself to read it"


def _source_file(info: dict[str, Any]) -> SourceFile:
    return SourceFile(path=info["name"], size_bytes=info["size"], version=_version(info), modified_s=info.get("mtime"))


def whole_folder(pattern: str) -> str | None:
    """The folder that a pattern reads completely: its own, or that of a glob with `**`; None where it is neither."""
    fs, inner = open_fs(pattern)
    with explained(pattern, "read"):
        is_there = os.path.lexists(inner) if is_local(pattern) else fs.exists(inner)
        if is_there:
            return pattern if fs.isdir(inner) else None
    return glob_root(pattern) if "**" in pattern.split("/") else None


def lies_in(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it, wherever links lead."""
    inside, around = _place(path), _place(folder)
    return inside == around or inside.startswith(f"{around}/")


def _place(path: str) -> str:
    fs, inner = open_fs(path)
    return os.path.realpath(inner) if is_local(path) else str(fs.unstrip_protocol(inner)).rstrip("/")


def check_unchanged(files: list[SourceFile]) -> None:
    """Raises StorageUnavailable naming the first file that is no longer what it was when the run began."""
    for file in files:
        with explained(file.path, "look again at"):
            info = _info(file.path)
        if (info["size"], _version(info)) != (file.size_bytes, file.version):
            raise StorageUnavailable(f"{file.path} changed while it was read: run again to land what is new in it")


def _version(info: dict[str, Any]) -> str:
    for key in ("generation", "ETag", "etag", "md5Hash", "mtime"):
        if info.get(key):
            return f"{key}:{info[key]}"
    return "unversioned"


def input_digest(files: list[SourceFile]) -> str:
    """16 hex digits that name this set of files: their paths, sizes and versions, in any order."""
    lines = sorted(f"{f.path}\0{f.size_bytes}\0{f.version}" for f in files)
    return blake2b(os.fsencode("\n".join(lines)), digest_size=8).hexdigest()
