"""Files that one run needs while it runs, on a local disk, for their owner alone.

They are written from their begin on and read anywhere. None of them is kept: the folder is removed when the run ends,
and what a killed run has left is removed by the next one.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from schemas.errors import StorageUnavailable
from transforms.core.storage.file_systems import explained

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class ScratchFile:
    """A new file of a scratch folder, of a name that no other one has; raises StorageUnavailable."""

    def __init__(self, folder: str) -> None:
        self.name = secrets.token_hex(8)
        self._path = os.path.join(folder, self.name)
        self._end = 0
        with explained(self._path, "write"):
            self._number = os.open(self._path, _FLAGS, 0o600)

    def append(self, data: bytes) -> int:
        """Writes at the end, and gives the offset at which the data begins; raises StorageUnavailable."""
        begin, rest = self._end, memoryview(data)
        with explained(self._path, "write"):
            while rest:
                rest = rest[os.write(self._number, rest) :]
        self._end += len(data)
        return begin

    def close(self) -> None:
        """Ends the writing."""
        os.close(self._number)


class ScratchReader:
    """Reads parts of a folder's files; each file is opened once, until `close`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._numbers: dict[str, int] = {}

    def read(self, name: str, offset: int, length: int) -> bytes:
        """A part of a file; raises StorageUnavailable where it is not there, or is shorter."""
        path = os.path.join(self._folder, name)
        with explained(path, "read"):
            if name not in self._numbers:
                self._numbers[name] = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            data = os.pread(self._numbers[name], length, offset)
        if len(data) != length:
            raise StorageUnavailable(f"cannot read {path}: it has {len(data)} of {length} bytes at {offset}")
        return data

    def close(self) -> None:
        """Closes the files."""
        while self._numbers:
            os.close(self._numbers.popitem()[1])


@contextmanager
def scratch_folder(folder: str) -> Iterator[str]:
    """An empty folder while the block runs; what a killed run has left in it is removed first.

    No two runs may have the same one at a time: the holder of an output's claim asks for that output's. Raises
    StorageUnavailable where it cannot be made, or belongs to somebody else.
    """
    with explained(folder, "write"):
        if os.path.lexists(folder):
            _check_own(folder)
            shutil.rmtree(folder)
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.mkdir(folder, 0o700)
    try:
        yield folder
    finally:
        with suppress(OSError):  # what is left is sealed, and the next run removes it
            shutil.rmtree(folder)


def _check_own(folder: str) -> None:
    """In a folder that everybody writes to, as /tmp is, somebody may have planted a link or a folder of that name."""
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StorageUnavailable(f"{folder} is no folder of this user's; remove it, or name another --spill_folder")
