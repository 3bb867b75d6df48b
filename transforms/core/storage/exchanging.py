"""Many files of a folder for few others, so that a reader sees the ones or the others as far as the storage allows.

A local folder is exchanged for another one at once, by Linux's renameat2. Where there is none, it is renamed away and
the other one put in its place: for microseconds nothing is there. An object store can change one object at a time: the
new ones are put in place by copies within the store, at the same time, and the old ones are then deleted in as few
requests as it takes. Until they are gone their rows can be read twice, and none is ever missing.
"""

import ctypes
import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress

from transforms.core.storage.file_systems import explained, is_local, open_fs
from transforms.core.storage.files import exists, list_folders, list_sizes
from transforms.core.storage.halves import half_of, sweep
from transforms.core.storage.paths import join
from transforms.core.storage.writing import remove_tree, renamed

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_NOT_SO = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
"""How kernels and file systems say that they cannot exchange."""

_ASIDE = ".aside"


def put_in_place_of(staging: str, names: Sequence[str], folder: str, old: Sequence[str]) -> None:
    """Puts the files of those names from `staging` into `folder`, in place of the old ones; both may be there already.

    `staging` is gone afterwards. What else lies in the folder stays. A process that is killed in between leaves what
    `is_in_place` tells, and the same call ends it, once the files lie in `staging` again where it says no. Raises
    StorageUnavailable.
    """
    with explained(folder, "exchange"):
        if not is_local(folder):
            _copied(staging, names, folder, old)
            return
        sweep(folder, deep=False)  # of a process that was killed while it copied from another disk
        there = {*list_sizes(folder), *list_folders(folder)}
        if not is_in_place(folder, names) and (there - {*old} or not _exchanged(staging, folder)):
            for name in names:
                put_file(join(open_fs(staging)[1], name), join(folder, name))
        for name in there & {*old} - {*names}:
            with suppress(FileNotFoundError):
                os.remove(join(open_fs(folder)[1], name))
    remove_tree(staging)
    remove_tree(staging + _ASIDE)


def is_in_place(folder: str, names: Sequence[str]) -> bool:
    """Whether all files of these names are there: then the others are to go, else they are to come."""
    return {*names} <= list_sizes(folder).keys()


def bring_back(staging: str, folder: str) -> None:
    """Where a local folder was renamed away by a process that was killed then, renames it back."""
    if is_local(folder) and exists(staging + _ASIDE) and not exists(folder):
        with explained(folder, "exchange"):
            os.rename(open_fs(staging + _ASIDE)[1], open_fs(folder)[1])


def put_file(local: str, path: str) -> None:
    """Moves a local file, or uploads it to an object store; it is seen there once it is whole."""
    fs, inner = open_fs(path)
    with explained(path, "write"):
        if is_local(path):
            os.makedirs(os.path.dirname(inner), exist_ok=True)
            _synced(local)
            if not renamed(local, inner):
                with open(local, "rb") as file, half_of(inner, file, 0o666) as half:
                    os.replace(half, inner)
        else:
            fs.put_file(local, inner)


def remove_folder(folder: str) -> None:
    """Removes a folder with all files right in it, local or of an object store; nothing happens where there is none."""
    if is_local(folder):
        remove_tree(folder)
    else:
        _delete(folder, list_sizes(folder))


def _synced(path: str) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _exchanged(staging: str, folder: str) -> bool:
    """Exchanges two local folders; False, and nothing done, where they lie on two disks."""
    staging, folder = open_fs(staging)[1], open_fs(folder)[1]
    shutil.copymode(folder, staging)
    _synced(staging)
    try:
        if not _at_once(staging, folder):
            os.rename(folder, staging + _ASIDE)
            os.rename(staging, folder)
    except OSError as cause:
        if cause.errno != errno.EXDEV:
            raise
        return False
    _synced(os.path.dirname(folder))
    return True


def _at_once(one: str, other: str) -> bool:
    """Exchanges two names in one step; False, and nothing done, where the system has none for it. Raises OSError."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number not in _NOT_SO:
        raise OSError(number, os.strerror(number))
    return False


def _copied(staging: str, names: Sequence[str], folder: str, old: Sequence[str]) -> None:
    fs = open_fs(folder)[0]
    if not is_in_place(folder, names):
        pairs = [(open_fs(join(staging, name))[1], open_fs(join(folder, name))[1]) for name in names]
        fs.copy([source for source, _ in pairs], [place for _, place in pairs])
    there = list_sizes(folder)
    _delete(folder, {name: there[name] for name in old if name in there and name not in names})
    remove_folder(staging)


def _delete(folder: str, names: Mapping[str, int]) -> None:
    fs, inner = open_fs(folder)
    if names:
        fs.rm([join(inner, name) for name in names])
