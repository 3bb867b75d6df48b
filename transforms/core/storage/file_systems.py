"""Paths -> fsspec's file systems; nothing else knows fsspec."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from schemas.errors import PipelineError, StorageRefused, StorageUnavailable

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_AS_STORED = {"auto_decompress": False, "headers": {"Accept-Encoding": "gzip"}}


_REFUSALS = (OSError, EOFError, ValueError, RuntimeError, ImportError)
"""Python's own classes that storage raises when it refuses. s3fs turns most answers of S3 into OSError, but a bad
name or a failed listing into ValueError. gcsfs raises ValueError for "Bad Request" and RuntimeError for an error
without a body. fsspec raises ValueError for an unknown protocol and ImportError for one without its package, and
its timeouts are OSErrors. A KeyError, TypeError or the like is a bug and a MemoryError is no answer of a storage:
these pass as they are."""


_REFUSED_AGAIN = (PermissionError, NotADirectoryError, IsADirectoryError, ImportError)
"""What the next run will meet, too: no permission (also S3's and Google's 403), a path that is none, a package that is
missing."""

_LASTING_FOR, _NOT_THERE = ("reach", "write"), (FileNotFoundError, ValueError)
"""A bucket that is not there, and a protocol that nobody knows. A file that is not there may have been one that went
since it was listed, and then the next run does not name it."""

_BAD_NAME = "ParamValidationError"
"""What botocore says of a bucket's name that cannot be one; by its name, as importing botocore takes a second."""


def _is_refusal(cause: Exception) -> bool:
    """Whether the storage refused: one of _REFUSALS, or a class that a package defines.

    Clients let through classes that derive from Exception alone: HttpError and ChecksumError of gcsfs, GoogleAuthError,
    ClientError of aiohttp, BotoCoreError and ClientError of botocore. They cannot be listed here: importing them takes
    a second, and fsspec loads whatever package an operator's URL asks for.
    """
    return isinstance(cause, _REFUSALS) or type(cause).__module__ != "builtins"


def _is_lasting(cause: Exception, doing: str) -> bool:
    """Whether the next run would be refused in the same way."""
    if isinstance(cause, _REFUSED_AGAIN) or type(cause).__name__ == _BAD_NAME:
        return True
    return doing in _LASTING_FOR and isinstance(cause, _NOT_THERE)


@contextmanager
def explained(path: str, doing: str) -> Iterator[None]:
    """If the storage refuses while the block runs, raises StorageUnavailable; StorageRefused where trying again does
    not help. Our own errors and bugs pass.
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as cause:
        if not _is_refusal(cause):
            raise
        detail = getattr(cause, "strerror", None) or type(cause).__name__
        kind = StorageRefused if _is_lasting(cause, doing) else StorageUnavailable
        raise kind(f"cannot {doing} {path}: {detail}") from cause


def open_fs(path: str) -> tuple[Any, str]:
    """The file system of a path and its name there. Names are taken as they are: fsspec's own way in reads `::` as a
    chain of file systems, and `#123` as a version.
    """
    with explained(path, "reach"):
        if is_local(path):
            return _local(), os.path.abspath(os.path.expanduser(path.removeprefix("file://")))
        kind = fsspec.get_filesystem_class(path.partition("://")[0])
        where = {k: v for k, v in kind._get_kwargs_from_urls(path).items() if k != "version_aware"}
        return kind(use_listings_cache=False, **where), kind._strip_protocol(path)


@cache
def _local() -> LocalFileSystem:
    """Made once: fsspec keeps one, too, but takes 40 us to find it, and a file is opened, looked for and moved."""
    return LocalFileSystem()


def is_local(path: str) -> bool:
    """Whether the path is on this machine's file system."""
    return _URL.match(path) is None or path.startswith("file://")


def open_read(path: str) -> BinaryIO:
    """The file as a stream, as it is stored; the caller closes it.

    An object of Google's that says Content-Encoding gzip is asked for as it lies there: else the client unpacks
    what it gets, and stops at the length of the packed bytes.
    """
    fs, inner = open_fs(path)
    with explained(path, "read"):
        file = fs.open(inner, "rb")
        if (getattr(file, "details", None) or {}).get("contentEncoding"):
            file.close()
            file = type(fs)(use_listings_cache=False, session_kwargs=_AS_STORED).open(inner, "rb")
        return cast(BinaryIO, file)
