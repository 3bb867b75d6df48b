"""A folder into which Avro files are rolled: the durable end for `--to FOLDER`."""

import os
import secrets
import stat
import time
from collections.abc import Sequence

from pipelines.collector.growing_file import GrowingFile
from pipelines.collector.records import Committed, Fate, Record
from pipelines.collector.recovery import recover
from schemas.errors import InvalidOptions, StorageUnavailable

_PROBE_BYTES = 1024 * 1024  # more than nearly every body
_FOLDER_MODE = 0o700


class RollingFolder:
    """See `Sink`. A file is rolled when it is `roll_bytes` long or `roll_interval_s` old."""

    def __init__(self, folder: str, roll_bytes: int, roll_interval_s: float) -> None:
        """Hands on what was left behind; `recovered_records` says how much that was.

        Raises InvalidOptions where it is no folder, or anybody may write into it; StorageUnavailable.
        """
        self._folder = folder
        self._roll_bytes = roll_bytes
        self._roll_interval_s = roll_interval_s
        self._file: GrowingFile | None = None
        self._retired: list[GrowingFile] = []
        self.rolled_files = 0
        try:
            os.makedirs(folder, _FOLDER_MODE, exist_ok=True)
            if os.stat(folder).st_mode & stat.S_IWOTH:
                raise InvalidOptions(f"--to {folder}: anybody may write into it; chmod o-w")
            self.recovered_records = recover(folder)
            self._probe()
        except (FileExistsError, NotADirectoryError):
            raise InvalidOptions(f"--to {folder}: a file; allowed is a folder or kafka://HOST:PORT/TOPIC") from None
        except OSError as cause:
            raise StorageUnavailable(f"cannot write to {folder}: {cause.strerror}") from None

    def commit(self, records: Sequence[Record]) -> Committed:
        """See `Sink`; all records of a group have one fate.

        After an error the file is not written to again: what the disk holds of
        it past the last whole block is not known.
        """
        try:
            if self._file is None:
                self._file = GrowingFile(self._folder)
            self._file.append(records)
        except OSError as cause:
            self._retire()
            return Committed([Fate.UNAVAILABLE] * len(records), cause.strerror or type(cause).__name__)
        if self._file.size_bytes >= self._roll_bytes:
            self._retire()
        return Committed([Fate.DURABLE] * len(records))

    def tick(self) -> None:
        """Rolls a file that is old enough, and tries again what could not be rolled."""
        if self._file is not None and time.monotonic() - self._file.opened_s >= self._roll_interval_s:
            self._retire()
        self._roll_retired()

    def _retire(self) -> None:
        if self._file is not None:
            self._retired.append(self._file)
            self._file = None
        self._roll_retired()

    def _roll_retired(self) -> None:
        waiting, self._retired = self._retired, []
        for file in waiting:
            try:
                file.publish()
                self.rolled_files += bool(file.records)
            except OSError:
                self._retired.append(file)  # tried again at the next tick; a later start would find it, too

    def is_reachable(self) -> bool:
        """Writes as much as a body is long, and removes it."""
        try:
            self._probe()
        except OSError:
            return False
        return True

    def _probe(self) -> None:
        path = os.path.join(self._folder, f".probe-{secrets.token_hex(4)}.tmp")
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.unlink(path)  # its bytes go with the descriptor, whatever happens
            rest = memoryview(bytes(_PROBE_BYTES))
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Rolls what is open."""
        self._retire()
