"""Files below a local folder, as an operator's disk has them: links in circles, pipes, folders that vanish."""

import errno
import glob
import os
import stat
from collections.abc import Iterator
from typing import Any


def info_of(path: str) -> dict[str, Any] | None:
    """Size, times and type of a file or folder, links followed; None where there is none. Raises OSError."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as cause:
        if cause.errno == errno.ELOOP:  # a link to itself
            return None
        raise
    kind = "directory" if stat.S_ISDIR(found.st_mode) else "file" if stat.S_ISREG(found.st_mode) else "other"
    return {"name": path, "size": found.st_size, "type": kind, "mtime": found.st_mtime,
            "identity": (found.st_dev, found.st_ino)}  # fmt: skip


def files_below(folder: str) -> Iterator[dict[str, Any]]:
    """Every file below a folder, each folder once however it is reached; pipes and devices have type `other`.

    What vanishes while it is listed is not there. Raises OSError where a folder may not be listed.
    """
    waiting, seen = [folder], set()
    while waiting:
        here = waiting.pop()
        info = info_of(here)
        if info is None:
            continue
        if info["type"] != "directory":
            yield info
        elif info["identity"] not in seen:
            seen.add(info["identity"])
            waiting += sorted(_paths_in(here), reverse=True)


def _paths_in(folder: str) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(folder)]
    except FileNotFoundError:
        return []


def matches(pattern: str) -> Iterator[dict[str, Any]]:
    """Files that a glob matches; `**` goes through folders. Names with a dot in front are matched, too."""
    for path in sorted(glob.glob(pattern, recursive=True, include_hidden=True)):
        info = info_of(path)
        if info is not None and info["type"] != "directory":
            yield info


def as_pattern(text: str) -> str:
    """An absolute glob in which the names that are there as they are written stand for themselves."""
    begin = "/" if os.path.isabs(text) else glob.escape(os.getcwd())
    literal = "/" if os.path.isabs(text) else os.getcwd()
    for part in filter(None, text.split("/")):
        literal = os.path.join(literal, part)
        begin = os.path.join(begin, glob.escape(part) if os.path.lexists(literal) else part)
    return begin
