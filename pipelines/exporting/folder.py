"""The folder that a person gets: its owner's alone, empty before, and whole only when the mark in it is gone."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import InvalidOptions
from transforms.core import storage

_MARK = "_unfinished"


def check_folder(flag: str, path: str, checksum: str | None = None) -> None:
    """Raises InvalidOptions where the folder is not a local one of this user's alone, or something else is in it.

    An export of the same checksum that was cut off may be there: it is made anew.
    """
    if not storage.is_local(path):
        raise InvalidOptions(f"{flag} {path}: allowed is a local folder, which only its owner can read")
    folder = storage.local_path(path)
    if not os.path.lexists(folder):
        return
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode):
        raise InvalidOptions(f"{flag} {path}: is no folder")
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise InvalidOptions(
            f"{flag} {path}: others may read it (mode {stat.S_IMODE(found.st_mode):04o}): chmod 700 {path}, or "
            "name one that is not there yet"
        )
    marked = _marked(folder)
    there = [name for name in os.listdir(folder) if not storage.is_half(name)]  # killed before the mark was whole
    if there and (marked is None or checksum not in (None, marked)):
        raise InvalidOptions(f"{flag} {path}: is not empty")


def _marked(folder: str) -> str | None:
    """The checksum of the export that was cut off in a folder; None where there was none."""
    try:
        with open(os.path.join(folder, _MARK), encoding="utf-8") as file:
            return file.read(100).strip()
    except OSError:
        return None


@contextmanager
def private_folder(flag: str, path: str, checksum: str) -> Iterator[str]:
    """The folder, empty and marked as unfinished while the block runs; what a killed export left there is removed.

    Where the block raises, the mark stays. Raises as `check_folder`.
    """
    check_folder(flag, path, checksum)
    folder = storage.local_path(path)
    with storage.explained(path, "write"):
        os.makedirs(os.path.dirname(folder) or ".", exist_ok=True)
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
        storage.write_private(os.path.join(folder, _MARK), f"{checksum}\n".encode())
        for name in os.listdir(folder):
            if name != _MARK:
                inner = os.path.join(folder, name)
                shutil.rmtree(inner) if os.path.isdir(inner) and not os.path.islink(inner) else os.remove(inner)
    yield folder
    storage.remove(os.path.join(folder, _MARK))
