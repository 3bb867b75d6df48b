"""The only door to files: local paths, gs:// and s3:// alike, through fsspec.

Every function raises StorageUnavailable, naming the path and the cause's kind,
where the storage refuses.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from typing import Any, BinaryIO, cast

from fsspec.core import url_to_fs

from schemas.errors import StorageUnavailable

_HIDDEN = ".writing-"
_HALF = (
    ".half"  # DuckDB's and Polars' globs match hidden names, too: what is not whole must not end as a data file does
)

_NAME_CHARS = 100  # of a file's name in that of the hidden one, which must not be longer than a name may be


@contextmanager
def _explained(path: str, doing: str) -> Iterator[None]:
    try:
        yield
    except Exception as cause:
        # clients of object stores raise classes of their own: gcsfs's HttpError is no OSError
        detail = getattr(cause, "strerror", None) or type(cause).__name__
        raise StorageUnavailable(f"cannot {doing} {path}: {detail}") from cause


def _open_fs(path: str) -> tuple[Any, str]:
    with _explained(path, "reach"):
        fs, inner = url_to_fs(path, use_listings_cache=False) if "://" in path else url_to_fs(path)
        return fs, inner


def is_local(path: str) -> bool:
    """Whether the path is on this machine's file system."""
    return "://" not in path or path.startswith("file://")


def file_system(path: str) -> Any:
    """The fsspec file system of a URL, for a library that reads through one itself."""
    return _open_fs(path)[0]


def local_path(path: str) -> str:
    """The path of a local file without its scheme."""
    return str(_open_fs(path)[1])


@contextmanager
def opened_local(path: str) -> Iterator[BinaryIO]:
    """A local file, open to be read; one that would make the reader wait, as a pipe does, gives nothing."""
    with _explained(path, "read"):
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    with file:
        yield file


def join(folder: str, *names: str) -> str:
    """Path of something in a folder; works for URLs and local paths."""
    return "/".join([folder.rstrip("/"), *names])


def exists(path: str) -> bool:
    """Whether a file or folder is there."""
    fs, inner = _open_fs(path)
    with _explained(path, "look at"):
        return bool(fs.exists(inner))


def read_bytes(path: str) -> bytes:
    """The whole file."""
    fs, inner = _open_fs(path)
    with _explained(path, "read"):
        return bytes(fs.cat_file(inner))


def read_start(path: str, size: int) -> bytes:
    """The first bytes of a file."""
    fs, inner = _open_fs(path)
    with _explained(path, "read"):
        return bytes(fs.cat_file(inner, start=0, end=size))


def open_read(path: str) -> BinaryIO:
    """The file as a stream; the caller closes it."""
    fs, inner = _open_fs(path)
    with _explained(path, "read"):
        return cast(BinaryIO, fs.open(inner, "rb"))


def write_atomic(path: str, data: bytes) -> None:
    """Writes the whole file or nothing; a reader sees the old bytes or the new ones.

    Local: a hidden file beside, fsync, rename. Object stores: one PUT.
    """
    fs, inner = _open_fs(path)
    with _explained(path, "write"):
        if not is_local(path):
            fs.pipe_file(inner, data)
            return
        os.makedirs(os.path.dirname(inner), exist_ok=True)
        with _written_beside(inner, data, 0o666) as hidden:
            os.replace(hidden, inner)


def write_private(path: str, data: bytes, *, replaces: bool = True, keeps_mode: bool = False) -> bool:
    """Like `write_atomic`, a local file so that only its owner may read it; for keys, and for code in clear.

    A folder that is missing is made for its owner alone. False, and nothing
    written, where a file is there that must not be replaced. `keeps_mode`: one
    that is replaced hands down its mode and group, as an operator set them.
    """
    fs, inner = _open_fs(path)
    with _explained(path, "write"):
        if not is_local(path):
            return create_exclusive(path, data) if not replaces else fs.pipe_file(inner, data) is None
        _make_private_folder(os.path.dirname(inner))
        before = os.lstat(inner) if keeps_mode and os.path.lexists(inner) else None
        with _written_beside(inner, data, 0o600, before) as hidden:
            try:
                if replaces:
                    os.replace(hidden, inner)
                else:
                    os.link(hidden, inner, follow_symlinks=False)
            except FileExistsError:
                return False
        return True


@contextmanager
def _written_beside(inner: str, data: bytes, mode: int, before: os.stat_result | None = None) -> Iterator[str]:
    """A hidden file in the same folder with these bytes on the disk, of a name that nobody can foresee and plant a
    link under; gone after the block, unless it was renamed.
    """
    folder, name = os.path.split(inner)
    hidden = os.path.join(folder, f"{_HIDDEN}{secrets.token_hex(8)}-{name[:_NAME_CHARS]}{_HALF}")
    number = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with open(number, "wb") as file:
            if before is not None and stat.S_ISREG(before.st_mode):
                _hand_down(file.fileno(), before)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield hidden
    finally:
        with suppress(FileNotFoundError):
            os.remove(hidden)


def _make_private_folder(folder: str) -> None:
    """With the folders that it lies in, as far as they are missing; `os.makedirs` gives its mode to the last one."""
    if folder and not os.path.isdir(folder):
        _make_private_folder(os.path.dirname(folder))
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)


def _hand_down(number: int, before: os.stat_result) -> None:
    """Group and mode of the file that will be replaced, where this process may give them."""
    try:
        os.fchown(number, before.st_uid if os.geteuid() == 0 else -1, before.st_gid)
    except PermissionError:
        return
    os.fchmod(number, stat.S_IMODE(before.st_mode))


def create_exclusive(path: str, data: bytes) -> bool:
    """Creates the file with these bytes; False where it is there already. Atomic everywhere.

    Object stores: one PUT on condition that nothing is there. (fsspec's own
    mode="create" looks and then writes on local files.)
    """
    fs, inner = _open_fs(path)
    with _explained(path, "write"):
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
    fs, inner = _open_fs(path)
    with _explained(path, "remove"):
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
    fs, inner = _open_fs(folder)
    with _explained(folder, "list"):
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
    _, inner = _open_fs(folder)
    swept = 0
    with _explained(folder, "sweep"):
        for root, _, names in os.walk(inner):
            for name in names:
                if name.startswith(_HIDDEN):
                    os.remove(os.path.join(root, name))
                    swept += 1
    return swept


class SourceFile(dict[str, Any]):
    """One input file: path, size_bytes and version, as they were when the run began."""

    @property
    def path(self) -> str:
        """Where it is."""
        return cast(str, self["path"])


def expand_inputs(patterns: list[str]) -> list[SourceFile]:
    """Every file that paths, globs and folders name, each once, sorted by path.

    A folder stands for all files below it. Raises StorageUnavailable where a
    pattern names nothing.
    """
    found: dict[str, SourceFile] = {}
    for pattern in patterns:
        fs, inner = _open_fs(pattern)
        with _explained(pattern, "read"):
            infos = _matching(fs, inner)
        if not infos:
            raise StorageUnavailable(f"--input {pattern}: no such file, folder or match")
        for info in infos:
            path = fs.unstrip_protocol(info["name"]) if not is_local(pattern) else info["name"]
            found[path] = SourceFile(path=path, size_bytes=info["size"], version=_version(info))
    return [found[path] for path in sorted(found)]


def list_tree(folder: str) -> list[SourceFile]:
    """Every file below a folder, sorted by path, none where it is not there; `modified_s` of local ones.

    Names that begin with a dot or underscore, or end in `.tmp`, are being written and left out.
    """
    fs, inner = _open_fs(folder)
    with _explained(folder, "list"):
        infos = fs.find(inner, detail=True).values()
    found = []
    for info in infos:
        name = info["name"].rsplit("/", 1)[-1]
        if not name.startswith((".", "_")) and not name.endswith(".tmp"):
            path = info["name"] if is_local(folder) else fs.unstrip_protocol(info["name"])
            modified_s = info.get("mtime") if is_local(folder) else None
            found.append(SourceFile(path=path, size_bytes=info["size"], version=_version(info), modified_s=modified_s))
    return sorted(found, key=lambda file: file.path)


def check_unchanged(files: list[SourceFile]) -> None:
    """Raises StorageUnavailable naming the first file that is no longer what it was when the run began."""
    for file in files:
        fs, inner = _open_fs(file.path)
        with _explained(file.path, "look again at"):
            info = fs.info(inner)
        if (info["size"], _version(info)) != (file["size_bytes"], file["version"]):
            raise StorageUnavailable(f"{file.path} changed while it was read: run again to land what is new in it")


def _matching(fs: Any, inner: str) -> list[dict[str, Any]]:
    if any(c in inner for c in "*?["):
        return [i for i in fs.glob(inner, detail=True).values() if i["type"] == "file"]
    if fs.isdir(inner):
        return list(fs.find(inner, detail=True).values())
    return [fs.info(inner)] if fs.exists(inner) else []


def _version(info: dict[str, Any]) -> str:
    for key in ("generation", "ETag", "etag", "md5Hash", "mtime"):
        if info.get(key):
            return f"{key}:{info[key]}"
    return "unversioned"


def input_digest(files: list[SourceFile]) -> str:
    """16 hex digits that name this set of files: their paths, sizes and versions, in any order."""
    lines = sorted(f"{f['path']}\0{f['size_bytes']}\0{f['version']}" for f in files)
    return blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()
