"""Files that hold secrets: who may read and write them, looked at before they are believed."""

import os
import stat

from schemas.errors import KeyUnavailable
from transforms.core import storage

MAX_BYTES = 4 * 1024 * 1024
"""A ring of 600 months has 200 KB."""

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def read_secret(path: str, what: str) -> bytes:
    """The file's bytes; raises KeyUnavailable where others could have written them, or it is too large to be one.

    Local files only are looked at, through links, as a mounted secret has them:
    neither they nor their folders may be written by group or others (a folder
    that is sticky may, and what lies on a file system that is mounted to be
    read). Raises StorageUnavailable where the file cannot be read.
    """
    if not storage.is_local(path):
        data = storage.read_start(path, MAX_BYTES + 1)
    else:
        for folder in _folders(path):
            check_folder(folder, what)
        data = _read_local(storage.local_path(path), what)
    if len(data) > MAX_BYTES:
        raise KeyUnavailable(f"{path} is larger than any {what}: allowed are {MAX_BYTES} bytes")
    return data


def check_folder(folder: str, what: str) -> None:
    """Raises KeyUnavailable where group or others may put another file into the place of a secret's."""
    try:
        found = os.stat(folder)
    except OSError:
        return  # what cannot be looked at cannot be read either; reading tells why
    if found.st_mode & _OTHERS_WRITE and not found.st_mode & stat.S_ISVTX and not _is_read_only(folder):
        raise KeyUnavailable(
            f"the folder {folder} of the {what} may be written by others (mode {stat.S_IMODE(found.st_mode):04o}): "
            f"chmod go-w {folder}"
        )


def check_not_writable(path: str, what: str) -> None:
    """Raises KeyUnavailable where others may write a local file, or put another into its place."""
    for folder in _folders(path):
        check_folder(folder, what)
    try:
        mode = os.stat(storage.local_path(path)).st_mode
    except OSError:
        return  # what cannot be looked at cannot be used either; using tells why
    if mode & _OTHERS_WRITE and not _is_read_only(path):
        raise _writable(path, what, mode)


def readable_by_others(path: str) -> str | None:
    """A line that warns, where everybody on this machine may read the file; None where it is well."""
    if not storage.is_local(path):
        return None
    try:
        mode = os.stat(storage.local_path(path)).st_mode
    except OSError:
        return None
    if not mode & stat.S_IROTH:
        return None
    return (
        f"warning: {path} may be read by every user of this machine (mode {stat.S_IMODE(mode):04o}): chmod o-r {path}"
    )


def _read_local(path: str, what: str) -> bytes:
    """Looks at the file that is open, so that it is the one that is read."""
    with storage.opened_local(path) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise KeyUnavailable(f"{path} is no file: allowed is a {what}")
        if found.st_mode & _OTHERS_WRITE and not _is_read_only(path):
            raise _writable(path, what, found.st_mode)
        return file.read(MAX_BYTES + 1)


def _writable(path: str, what: str, mode: int) -> KeyUnavailable:
    return KeyUnavailable(
        f"the {what} {path} may be written by others (mode {stat.S_IMODE(mode):04o}): chmod go-w {path}"
    )


def _folders(path: str) -> list[str]:
    """Where the name stands, and where the file lies that it leads to."""
    local = storage.local_path(path)
    return list(dict.fromkeys(os.path.dirname(p) or "." for p in (os.path.abspath(local), os.path.realpath(local))))


def _is_read_only(path: str) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
