"""One Avro file while it grows, under a hidden name, and its way into the watched folder."""

import fcntl
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from pipelines.collector import avro_blocks
from pipelines.collector.records import Record

HIDDEN_START = ".requests-"
HIDDEN_END = ".avro.half"
"""Neither the jobs nor a glob for `*.avro` read a file of such a name."""

_MODE = 0o600  # addresses and code of people


class GrowingFile:
    """A file that is written, and locked, by this process alone. Every method may raise OSError.

    The lock ends with the process, however that ends. So a hidden file without a lock was left behind by a process
    that was killed.
    """

    def __init__(self, folder: str) -> None:
        moment = datetime.now(UTC)
        name = f"requests-{moment:%Y%m%dT%H%M%S}.{moment.microsecond:06d}Z-{secrets.token_hex(4)}.avro"
        self._visible = os.path.join(folder, name)
        self._hidden = os.path.join(folder, f".{name}.half")
        self._folder = folder
        self.opened_s = time.monotonic()
        self.records = 0
        self.size_bytes = 0
        self._is_named = False
        self._marker = secrets.token_bytes(avro_blocks.MARKER_BYTES)
        self._fd = os.open(self._hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write(avro_blocks.header(self._marker))
            sync_folder(folder)  # else a power cut may take the name, and with it what was acknowledged
        except OSError:
            self.discard()
            raise

    def append(self, records: Sequence[Record]) -> None:
        """Adds a block; the records are on the disk when it returns, and none of them is in the file when it raises."""
        before = self.size_bytes
        try:
            self._write(avro_blocks.block(records, self._marker))
            os.fsync(self._fd)
        except OSError:
            self.size_bytes = before
            raise
        self.records += len(records)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self.size_bytes += len(data)

    def publish(self) -> None:
        """Gives it its visible name, without what was written and not acknowledged; an empty one is discarded.

        May be called again where it raised.
        """
        if not self.records:
            self.discard()
            return
        if not self._is_named:
            os.ftruncate(self._fd, self.size_bytes)
            os.fsync(self._fd)
            os.replace(self._hidden, self._visible)
            self._is_named = True
        sync_folder(self._folder)
        os.close(self._fd)

    def discard(self) -> None:
        """Removes it; only for one that holds nothing."""
        with suppress(FileNotFoundError):
            os.unlink(self._hidden)
        os.close(self._fd)


def sync_folder(folder: str) -> None:
    """Makes the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
