"""A source file's bytes, decompressed; a storage that refuses is told apart from data that is damaged."""

import io
from collections.abc import Iterator
from typing import BinaryIO

from transforms.core.reading.file_kinds import START_BYTES, Kind, kind_of
from transforms.core.reading.inflate import GZIP, ZSTD, Damaged, concatenated
from transforms.core.storage.file_systems import explained

CHUNK_BYTES = 1 << 18
_CODECS = {Kind.GZIP: GZIP, Kind.ZSTD: ZSTD}
_MAX_LAYERS = 2
"""Files may be compressed twice: by a collector, and again by a tool that copied them."""


class RawFile(io.RawIOBase):
    """A stored file; raises StorageUnavailable where the storage refuses to read it."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path

    def readable(self) -> bool:
        return True

    def seek(self, at: int, whence: int = 0, /) -> int:
        return self._file.seek(at, whence)

    def read(self, size: int = -1, /) -> bytes:
        with explained(self._path, "read"):
            return self._file.read(size)

    def chunks(self) -> Iterator[bytes]:
        """All of it, in pieces."""
        while data := self.read(CHUNK_BYTES):
            yield data


class PlainStream:
    """Gives bytes in the sizes that are asked for, fewer only at the end.

    `given_bytes` counts them. `is_broken` says that the end is not the true one: the
    compressed data is damaged there.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._ahead = bytearray()
        self.given_bytes = 0
        self.is_broken = False

    def peek(self, size: int) -> bytes:
        """The next bytes, which a later call gives again."""
        self._fill(size)
        return bytes(self._ahead[:size])

    def peek_at(self, offset: int, size: int) -> bytes:
        """Bytes that come after `offset` more ones; later calls give all of them again."""
        self._fill(offset + size)
        return bytes(self._ahead[offset : offset + size])

    @property
    def ahead_bytes(self) -> int:
        """How many bytes are waiting."""
        return len(self._ahead)

    def read(self, size: int) -> bytes:
        """The next bytes."""
        self._fill(size)
        with memoryview(self._ahead) as ahead:
            data = bytes(ahead[:size])
        del self._ahead[:size]
        self.given_bytes += len(data)
        return data

    def read_past(self, marker: bytes) -> int | None:
        """Skips to behind the next marker; returns how many bytes were skipped before it.

        None where no marker comes: then everything is skipped.
        """
        begin_byte = self.given_bytes
        while (found := self._ahead.find(marker)) < 0:
            kept = len(marker) - 1
            if len(self._ahead) > kept:
                self.read(len(self._ahead) - kept)
            self._fill(kept + 1)
            if len(self._ahead) <= kept:
                self.read(kept)
                return None
        self.read(found + len(marker))
        return self.given_bytes - len(marker) - begin_byte

    def pieces(self) -> Iterator[bytes]:
        """Everything that is left, in pieces of any size; raises Damaged at an end that is not the true one."""
        if self._ahead:
            yield self.read(len(self._ahead))
        if self.is_broken:
            raise Damaged
        yield from self._pieces

    def _fill(self, size: int) -> None:
        try:
            while len(self._ahead) < size and not self.is_broken:
                self._ahead += next(self._pieces)
        except StopIteration:
            return
        except Damaged:
            self.is_broken = True


def plain_stream(opened: BinaryIO, path: str) -> PlainStream:
    """The content of a file, decompressed if its first bytes say gzip or zstd."""
    stream = PlainStream(RawFile(opened, path).chunks())
    for _ in range(_MAX_LAYERS):
        codec = _CODECS.get(kind_of(stream.peek(START_BYTES)))
        if codec is None:
            break
        stream = PlainStream(concatenated(stream.pieces(), codec))
    return stream
