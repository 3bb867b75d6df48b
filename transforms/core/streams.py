"""A source file's bytes: what the storage refuses, what is damaged, and decompression, told apart."""

import io
from typing import Any, BinaryIO

import pyarrow as pa

from schemas.errors import StorageUnavailable
from transforms.core.progress import PROGRESS

CODECS = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}
"""The first bytes of compressed files."""

_LARGEST_READ = 1 << 28


class Damaged(Exception):
    """A container that cannot be read on; never leaves `payloads`."""


class RawFile(io.RawIOBase):
    """A stored file; what the storage refuses becomes StorageUnavailable, also through pyarrow."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        self.failure: StorageUnavailable | None = None

    def readable(self) -> bool:
        return True

    def seek(self, at: int, whence: int = 0, /) -> int:
        return self._file.seek(at, whence)

    def read(self, size: int = -1, /) -> bytes:
        try:
            data = self._file.read(size)
            PROGRESS.add(read_bytes=len(data))
            return data
        except OSError as cause:
            detail = cause.strerror or type(cause).__name__
            self.failure = StorageUnavailable(f"cannot read {self._path}: {detail}")
            raise self.failure from cause


class PlainStream:
    """A file's bytes after decompression, read to exactly the size that is asked for."""

    def __init__(self, opened: BinaryIO, path: str) -> None:
        self._raw = RawFile(opened, path)
        self._first = self._raw.read(4)
        self._source: Any = self._raw
        codec = CODECS.get(self._first[:2])
        if codec is not None:
            whole = _Prefixed(self._first, self._raw)
            self._source = pa.CompressedInputStream(pa.PythonFile(whole, "r"), codec)
            self._first = b""

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, fewer only at the end; raises Damaged where the stream breaks."""
        if not 0 <= size <= _LARGEST_READ:  # a damaged container asks for anything
            raise Damaged
        if not self._first and len(whole := self._read_source(size)) == size:
            return whole
        if not self._first:
            self._first = whole
        parts, missing = [self._first[:size]], size - len(self._first[:size])
        self._first = self._first[size:]
        while missing > 0:
            more = self._read_source(missing)
            if not more:
                break
            parts.append(more)
            missing -= len(more)
        return b"".join(parts)

    def _read_source(self, size: int) -> bytes:
        try:
            return bytes(self._source.read(size))
        except OSError:
            if self._raw.failure is not None:
                raise self._raw.failure from None
            raise Damaged from None

    def push_back(self, data: bytes) -> None:
        """Bytes to be read again."""
        self._first = data + self._first


class _Prefixed(io.RawIOBase):
    """Bytes that were looked at already, then the rest of the file."""

    def __init__(self, first: bytes, rest: RawFile) -> None:
        self._first = first
        self._rest = rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if not self._first:
            return self._rest.read(size)
        taken, self._first = self._first[:size], self._first[size:]
        return taken
