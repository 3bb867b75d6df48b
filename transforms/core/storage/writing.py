"""Files written whole or not at all; an object store writes one in a single request."""

import errno
import os
import shutil
from contextlib import suppress

from transforms.core.storage.file_systems import explained, is_local, open_fs
from transforms.core.storage.halves import half_elsewhere, half_of, sweep_halves_of

_SWEPT_TRIES = 3


def write_atomic(path: str, data: bytes, staging: str | None = None) -> None:
    """Writes the whole file or nothing; a reader sees the old bytes or the new ones.

    Local: a hidden file, fsync, rename. The hidden file lies in the folder `staging`, which is made where it is
    missing; beside the file where none is given, or where it is on another disk, and then a note in `staging` says so.
    Object stores: one PUT.
    """
    fs, inner = open_fs(path)
    with explained(path, "write"):
        if not is_local(path):
            fs.pipe_file(inner, data)
            return
        os.makedirs(os.path.dirname(inner), exist_ok=True)
        if staging is None:
            with half_of(inner, data, 0o666) as hidden:
                os.replace(hidden, inner)
        elif not _moved_from(halves := open_fs(staging)[1], inner, data):
            with half_elsewhere(halves, inner, data, 0o666) as hidden:
                os.replace(hidden, inner)


def _moved_from(staging: str, inner: str, data: bytes) -> bool:
    """Writes the file by way of the folder `staging`; False, and nothing written, where that is on another disk."""
    os.makedirs(staging, exist_ok=True)
    with half_of(os.path.join(staging, os.path.basename(inner)), data, 0o666) as hidden:
        return renamed(hidden, inner)


def renamed(inner: str, to: str) -> bool:
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
        sweep_halves_of(inner)  # a killed run's half holds keys or code, and nobody else looks here
        before = os.lstat(inner) if keeps_mode and os.path.lexists(inner) else None
        with half_of(inner, data, 0o600, before) as hidden:
            if not replaces:
                return _linked(hidden, inner)
            os.replace(hidden, inner)
        return True


def _make_private_folder(folder: str) -> None:
    """With the folders that it lies in, as far as they are missing; `os.makedirs` gives its mode to the last one."""
    if folder and not os.path.isdir(folder):
        _make_private_folder(os.path.dirname(folder))
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)


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


def create_whole(path: str, data: bytes) -> bool:
    """Like `create_exclusive`, and a local file is seen only when it is whole and on the disk, as one in a store is.

    It is written again where a job swept away its hidden file: on a disk without locks nobody can tell it from a dead
    one's.
    """
    if not is_local(path):
        return create_exclusive(path, data)
    _, inner = open_fs(path)
    with explained(path, "write"):
        os.makedirs(os.path.dirname(inner), exist_ok=True)
        for _ in range(_SWEPT_TRIES):
            with suppress(FileNotFoundError), half_of(inner, data, 0o666) as hidden:
                return _linked(hidden, inner)
        with half_of(inner, data, 0o666) as hidden:
            return _linked(hidden, inner)


def _linked(hidden: str, inner: str) -> bool:
    """Gives a file its name; False where another one has it."""
    try:
        os.link(hidden, inner, follow_symlinks=False)
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
        if not renamed(inner, inner_aside):
            return False
    remove_tree(aside)
    return True


def remove_tree(folder: str) -> None:
    """Removes a local folder with all that is in it; nothing happens where there is none."""
    if is_local(folder):
        with explained(folder, "remove"), suppress(FileNotFoundError):
            shutil.rmtree(open_fs(folder)[1])
