"""Files written whole or not at all; an object store writes one in a single request."""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from transforms.core.storage.file_systems import explained, is_local, open_fs

_HIDDEN = ".writing-"
_HALF = (
    ".half"  # DuckDB's and Polars' globs match hidden names, too: what is not whole must not end as a data file does
)

_NAME_CHARS = 100  # of a file's name in that of the hidden one, which must not be longer than a name may be


def write_atomic(path: str, data: bytes, staging: str | None = None) -> None:
    """Writes the whole file or nothing; a reader sees the old bytes or the new ones.

    Local: a hidden file, fsync, rename. The hidden file lies in the folder `staging`, which is made where it is
    missing; beside the file where none is given, or where it is on another disk. Object stores: one PUT.
    """
    fs, inner = open_fs(path)
    with explained(path, "write"):
        if not is_local(path):
            fs.pipe_file(inner, data)
            return
        os.makedirs(os.path.dirname(inner), exist_ok=True)
        if staging is None or not _moved_from(open_fs(staging)[1], inner, data):
            with _written_beside(inner, data, 0o666) as hidden:
                os.replace(hidden, inner)


def _moved_from(staging: str, inner: str, data: bytes) -> bool:
    """Writes the file by way of the folder `staging`; False, and nothing written, where that is on another disk."""
    os.makedirs(staging, exist_ok=True)
    with _written_beside(os.path.join(staging, os.path.basename(inner)), data, 0o666) as hidden:
        return _renamed(hidden, inner)


def _renamed(inner: str, to: str) -> bool:
    """Renames a file or folder; False, and nothing done, where the new place is on another disk."""
    try:
        os.replace(inner, to)
    except OSError as cause:
        if cause.errno != errno.EXDEV:
            raise
        return False
    return True


def write_private(path: str, data: bytes, *, replaces: bool = True, keeps_mode: bool = False) -> bool:
    """Like `write_atomic`, a local file so that only its owner may read it; for keys, and for code in clear.

    A folder that is missing is made for its owner alone. False, and nothing
    written, where a file is there that must not be replaced. `keeps_mode`: one
    that is replaced hands down its mode and group, as an operator set them.
    """
    fs, inner = open_fs(path)
    with explained(path, "write"):
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


def remove_empty(folder: str) -> None:
    """Removes a local folder in which nothing is; object stores have none."""
    if is_local(folder):
        with suppress(OSError):
            os.rmdir(open_fs(folder)[1])


def remove_at_once(folder: str, aside: str) -> bool:
    """Removes a local folder so that nobody sees a part of it: it is renamed to `aside`, which is then emptied.

    False, and nothing removed, where `aside` is on another disk.
    """
    inner, inner_aside = open_fs(folder)[1], open_fs(aside)[1]
    with explained(folder, "remove"):
        os.makedirs(os.path.dirname(inner_aside), exist_ok=True)
        if not _renamed(inner, inner_aside):
            return False
    remove_tree(aside)
    return True


def remove_tree(folder: str) -> None:
    """Removes a local folder with all that is in it; nothing happens where there is none."""
    if is_local(folder):
        with explained(folder, "remove"), suppress(FileNotFoundError):
            shutil.rmtree(open_fs(folder)[1])


def sweep(folder: str, *, deep: bool = True) -> int:
    """Removes what a killed writer left half written below a local folder, or right in it; returns how many."""
    if not is_local(folder):
        return 0
    _, inner = open_fs(folder)
    swept = 0
    with explained(folder, "sweep"):
        for root, folders, names in os.walk(inner):
            if not deep:
                folders.clear()
            for name in names:
                if name.startswith(_HIDDEN):
                    os.remove(os.path.join(root, name))
                    swept += 1
    return swept
