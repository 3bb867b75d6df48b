"""A watched folder as a log: a file's time is when it was taken."""

import time
from collections.abc import Iterator

from schemas.errors import StorageUnavailable
from transforms.core import storage
from transforms.core.blocks import Block, Taken
from transforms.core.reading.log import LogPosition
from transforms.core.reading.payloads import read_blocks

_SETTLED_S = 2.0
"""A local file is whole when it was not written to for so many seconds; objects of a store appear whole."""

WINDOW_BYTES = 1024 * 1024 * 1024
"""Bytes, as stored, that one window takes at most: this bounds what a backlog of files puts into memory."""

_READ_BYTES = 64 * 1024 * 1024
"""Bytes, as stored, after which one `read` lets the runner commit; it takes at least one file."""


class FolderLog:
    """Takes each file below a folder once, in the order of their names; see `Log`.

    Side files are left alone (`side_files`). A file that changes after it was
    taken is taken again, and its rows that landed already are duplicates.
    """

    def __init__(self, folder: str, start: LogPosition) -> None:
        self._folder = folder
        self._taken = dict(start.positions)
        self._watermark_ms = start.watermark_ms
        self._window_number = 0
        self._window_bytes = 0

    @property
    def position(self) -> LogPosition:
        """The files that were taken, by path and version."""
        return LogPosition(dict(self._taken), self._watermark_ms)

    def read(self, timeout_s: float, interval_s: int) -> Iterator[tuple[int, Block]]:
        """See `Log.read`; all of a file is in one window, however long it is."""
        now_ms = max(int(time.time() * 1000), self._watermark_ms)
        if now_ms // 1000 // interval_s != self._window_number:
            self._window_number, self._window_bytes = now_ms // 1000 // interval_s, 0
        read_bytes = 0
        for file in self._waiting():
            if read_bytes >= _READ_BYTES or self._window_bytes >= WINDOW_BYTES:
                break
            read_bytes += file.size_bytes
            self._window_bytes += file.size_bytes
            for block in self._blocks(file):
                yield now_ms, block
        self._watermark_ms = now_ms
        if not read_bytes:
            time.sleep(timeout_s)

    def _waiting(self) -> list[storage.SourceFile]:
        """Whole files that were not taken yet; forgets files that are gone."""
        found = storage.list_tree(self._folder)
        there = {file.part for file in found}
        self._taken = {part: end for part, end in self._taken.items() if part in there}
        settled_s = time.time() - _SETTLED_S
        return [f for f in found if f.part not in self._taken and (f.modified_s or 0) <= settled_s]

    def _blocks(self, file: storage.SourceFile) -> Iterator[Block]:
        """The file's blocks; the last one says that the file is taken."""
        last = Block()
        try:
            for block in read_blocks(lambda: storage.open_read(file.path), file.path):
                if last.lines or last.requests or last.unreadable:
                    yield last
                last = block
        except StorageUnavailable:
            if last.lines or last.requests or storage.exists(file.path):
                raise
            return  # gone before anything of it was read
        last.taken.append(Taken(file.part, 0, file.size_bytes))
        self._taken[file.part] = file.size_bytes
        yield last

    def close(self) -> None:
        """Nothing is held."""
