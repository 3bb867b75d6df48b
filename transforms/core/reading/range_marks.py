"""What reading says of each range of the source files, so that the books know by themselves what came in.

Every block bears the bytes that it took of its range, and what comes last says
how many payloads the range gave: a range, or a block of it, that is lost on its
way or read twice is missing or too much in the ledger.
"""

import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from schemas.errors import Reason
from transforms.core.blocks import Block, RangeRead
from transforms.core.ranges import Range
from transforms.core.reading.file_kinds import START_BYTES
from transforms.core.reading.payloads import is_plain

_REST_IS_LOST = frozenset({Reason.UNREADABLE_CONTAINER, Reason.FOREIGN_SCHEMA, Reason.DAMAGED_BLOCK})
"""Reasons that stand for bytes which nobody reads: they were told, so they are not missing."""

ReadRange = Callable[[Callable[[], BinaryIO], Range], Iterator[Block]]


def marked(read: ReadRange, open_file: Callable[[], BinaryIO], part: Range) -> Iterator[Block]:
    """The blocks that `read` gives of a range, and one for its end; each says what it took of the range.

    Bytes are those of the file as stored. Of plain lines they are those that were
    cut into lines, so the ranges of a file add up to its size; of what is compressed
    or a container, those that its decoder had done with, and all of them where it
    told that a part cannot be read.
    """
    meter, is_lost = _Meter(), False
    told_bytes = payloads = 0
    for block in read(lambda: cast(BinaryIO, _MeteredFile(open_file(), meter)), part):
        took_bytes = block.cut_bytes if meter.is_plain else meter.done_bytes - told_bytes
        told_bytes += took_bytes
        payloads += len(block.lines) + len(block.requests) + len(block.unreadable)
        is_lost = is_lost or any(lost.reason in _REST_IS_LOST for lost in block.unreadable)
        block.read.append(RangeRead(part.digest, took_bytes, 0))
        yield block
    rest_bytes = 0 if meter.is_plain else (part.size_bytes if is_lost else meter.done_bytes) - told_bytes
    yield Block(read=[RangeRead(part.digest, rest_bytes, payloads)])


class _Meter:
    """How far a file was read; one that is opened again is not read twice."""

    def __init__(self) -> None:
        self.done_bytes = 0
        self.first = b""

    @property
    def is_plain(self) -> bool:
        """Whether it is plain lines; a range that begins inside a file always is."""
        return is_plain(self.first)

    def take(self, begin: int, end: int) -> None:
        """Bytes that were done with; they count where none before them is missing."""
        if begin <= self.done_bytes:
            self.done_bytes = max(self.done_bytes, end)


class _MeteredFile(io.RawIOBase):
    """A stored file that counts what is read of it: a chunk is done with when the next one is asked for."""

    def __init__(self, file: BinaryIO, meter: _Meter) -> None:
        self._file = file
        self._meter = meter
        self._begin = self._end = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._end

    def seek(self, at: int, whence: int = 0, /) -> int:
        self._begin = self._end = self._file.seek(at, whence)
        return self._end

    def read(self, size: int = -1, /) -> bytes:
        self._meter.take(self._begin, self._end)
        data = self._file.read(size)
        self._begin, self._end = self._end, self._end + len(data)
        if size < 0:
            self._meter.take(self._begin, self._end)
        if self._begin == len(self._meter.first) < START_BYTES:
            self._meter.first = (self._meter.first + data)[:START_BYTES]
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
