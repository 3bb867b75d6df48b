"""A source file's bytes: what the storage refuses, what is damaged, and decompression, told apart."""

import io
from collections.abc import Iterator
from typing import BinaryIO

from transforms.core.reading.file_kinds import START_BYTES, Kind, kind_of
from transforms.core.reading.inflate import GZIP, ZSTD, Damaged, concatenated
from transforms.core.storage.file_systems import explained

CHUNK_BYTES = 1 << 18
_CODECS = {Kind.GZIP: GZIP, Kind.ZSTD: ZSTD}
_MAX_LAYERS = 2
"""Files that were compressed twice are read: collectors compress, and copying tools again."""


class RawFile(io.RawIOBase):
    """A stored file; what the storage refuses becomes StorageUnavailable."""

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
    """Bytes in the sizes that are asked for, fewer only at the end.

    `at` counts those that were given; `is_broken` says that the end is none: what
    they came out of is damaged there.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._ahead = bytearray()
        self.at = 0
        self.is_broken = False

    def peek(self, size: int) -> bytes:
        """The next bytes; they stay."""
        self._fill(size)
        return bytes(self._ahead[:size])

    def peek_at(self, offset: int, size: int) -> bytes:
        """Bytes so far ahead; they stay, and so do those before them."""
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
        self.at += len(data)
        return data

    def read_past(self, marker: bytes) -> int | None:
        """Goes behind the next place where the marker stands; returns how many bytes were passed over before it.

        None where there is none: all is read then.
        """
        begin = self.at
        while (found := self._ahead.find(marker)) < 0:
            kept = len(marker) - 1
            if len(self._ahead) > kept:
                self.read(len(self._ahead) - kept)
            self._fill(kept + 1)
            if len(self._ahead) <= kept:
                self.read(kept)
                return None
        self.read(found + len(marker))
        return self.at - len(marker) - begin

    def pieces(self) -> Iterator[bytes]:
        """All that is left, in pieces of any size; raises Damaged at an end that is none."""
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
    """What a file holds, decompressed where its first bytes say gzip or zstd."""
    stream = PlainStream(RawFile(opened, path).chunks())
    for _ in range(_MAX_LAYERS):
        codec = _CODECS.get(kind_of(stream.peek(START_BYTES)))
        if codec is None:
            break
        stream = PlainStream(concatenated(stream.pieces(), codec))
    return stream
