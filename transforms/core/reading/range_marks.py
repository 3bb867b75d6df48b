"""What reading reports about each range of the source files, so that the books know what came in.

Every block says how many bytes of its range it took, and a last one says how many
payloads the range gave. A range or a block that is lost on the way, or read
twice, then shows in the ledger as too little or too much.
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
"""Reasons for skipping the rest of a file: those bytes were reported as unreadable, so they are not missing."""

ReadRange = Callable[[Callable[[], BinaryIO], Range], Iterator[Block]]


def marked(read: ReadRange, open_file: Callable[[], BinaryIO], part: Range) -> Iterator[Block]:
    """The blocks that `read` gives of a range, and a last empty one; each says how much of the range it took.

    Bytes are those of the file as stored. For plain lines, they are the bytes that
    were cut into lines, so the ranges of a file add up to its size. For compressed
    files and containers, they are the bytes that the decoder is done with, or all
    of them where it reported that the rest cannot be read.
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
    """How far a file was read; a part that is read again after reopening counts once."""

    def __init__(self) -> None:
        self.done_bytes = 0
        self.first = b""

    @property
    def is_plain(self) -> bool:
        """Whether it is plain lines; a range that begins inside a file always is."""
        return is_plain(self.first)

    def mark_done(self, begin_byte: int, end_byte: int) -> None:
        """These bytes were consumed; they count if no byte before them is missing."""
        if begin_byte <= self.done_bytes:
            self.done_bytes = max(self.done_bytes, end_byte)


class _MeteredFile(io.RawIOBase):
    """A stored file that measures how far it is read: a chunk counts as consumed when the next one is asked for."""

    def __init__(self, file: BinaryIO, meter: _Meter) -> None:
        self._file = file
        self._meter = meter
        self._begin_byte = self._end_byte = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._end_byte

    def seek(self, at: int, whence: int = 0, /) -> int:
        self._begin_byte = self._end_byte = self._file.seek(at, whence)
        return self._end_byte

    def read(self, size: int = -1, /) -> bytes:
        self._meter.mark_done(self._begin_byte, self._end_byte)
        data = self._file.read(size)
        self._begin_byte, self._end_byte = self._end_byte, self._end_byte + len(data)
        if size < 0:
            self._meter.mark_done(self._begin_byte, self._end_byte)
        if self._begin_byte == len(self._meter.first) < START_BYTES:
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
