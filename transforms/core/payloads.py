"""Source files -> blocks of payloads, whatever container and compression they come in.

Told apart by content: gzip, zstd and Avro say what they are in their first
bytes; anything else is NDJSON. A container that ends early or is damaged gives
all that can be read and one `Unreadable` for the rest.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, BinaryIO, NamedTuple

import fastavro
import pyarrow as pa
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from schemas.errors import Reason, StorageUnavailable
from schemas.registry import raw_schemas
from transforms.core.envelopes import MAX_PAYLOAD_BYTES
from transforms.core.progress import PROGRESS

BLOCK_BYTES = 32 * 1024 * 1024
"""Payload bytes in a block: large enough that per-block cost vanishes, small enough to bound memory."""

_CHUNK_BYTES = 1 << 18
_LARGEST_READ = 1 << 28
_CODECS = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}
_MAGIC_AVRO = b"Obj\x01"
_BOM = b"\xef\xbb\xbf"
_AVRO_DAMAGE = (
    EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error, zlib.error,
    OverflowError, MemoryError, SchemaResolutionError, SchemaParseException,
)  # fmt: skip
"""What fastavro raises on bytes that are no Avro, or Avro of another schema; ours are not among them."""


class RawRequest(NamedTuple):
    """One HTTP request of an Avro container: `raw_request.1.avsc`, its time as ISO text."""

    received_at: str
    client_ip: str | None
    telemetry_level: str | None
    snippet_consent: bool | None
    content_type: str | None
    content_encoding: str | None
    body: bytes


class Unreadable(NamedTuple):
    """A part of a file that cannot become payloads: why, how long, and what names it again."""

    reason: Reason
    payload_bytes: int
    identity: bytes


@dataclass
class Block:
    """Payloads read together: raw NDJSON lines, requests of an Avro container, or what was unreadable.

    Never crosses a shuffle; pickling one is refused, because it holds addresses and code.
    """

    lines: list[bytes] = field(default_factory=list)
    requests: list[RawRequest] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("unprotected payloads must not leave the stage that reads them")


class _Damaged(Exception):
    """A container that cannot be read on; stays in this module."""


class _Raw(io.RawIOBase):
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


class _Stream:
    """A file's bytes after decompression, read to exactly the size that is asked for."""

    def __init__(self, opened: BinaryIO, path: str) -> None:
        self._raw = _Raw(opened, path)
        self._first = self._raw.read(4)
        self._source: Any = self._raw
        codec = _CODECS.get(self._first[:2])
        if codec is not None:
            whole = _Prefixed(self._first, self._raw)
            self._source = pa.CompressedInputStream(pa.PythonFile(whole, "r"), codec)
            self._first = b""

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, fewer only at the end; raises _Damaged where the stream breaks."""
        if size > _LARGEST_READ:
            raise _Damaged
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
            raise _Damaged from None

    def push_back(self, data: bytes) -> None:
        """Bytes to be read again."""
        self._first = data + self._first


class _Prefixed(io.RawIOBase):
    """Bytes that were looked at already, then the rest of the file."""

    def __init__(self, first: bytes, rest: _Raw) -> None:
        self._first = first
        self._rest = rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if not self._first:
            return self._rest.read(size)
        taken, self._first = self._first[:size], self._first[size:]
        return taken


class Range(NamedTuple):
    """A part of a source file: all of it, or the lines that begin in `start <= byte < end`."""

    path: str
    start: int = 0
    end: int | None = None


def is_plain(first: bytes) -> bool:
    """Whether a file that begins so is plain lines, which can be read from any byte on."""
    return first[:2] not in _CODECS and first[:4] != _MAGIC_AVRO


def read_range(open_file: Callable[[], BinaryIO], part: Range) -> Iterator[Block]:
    """The payloads of a range, each line in the one range in which it begins.

    Raises StorageUnavailable where the storage fails.
    """
    if part.end is None:
        yield from read_blocks(open_file, part.path)
        return
    with open_file() as file:
        raw = _Raw(file, part.path)
        cutter = LineCutter(is_first=part.start == 0)
        at = max(part.start - 1, 0)
        raw.seek(at)
        inside = part.start == 0  # else what comes before the first newline began in an earlier range
        while chunk := raw.read(_CHUNK_BYTES):
            base, at = at, at + len(chunk)
            if not inside:
                newline = chunk.find(b"\n")
                if newline < 0 or base + newline + 1 >= part.end:
                    if newline >= 0 or at >= part.end:
                        return
                    continue
                chunk, base, inside = chunk[newline + 1 :], base + newline + 1, True
            if at >= part.end and (stop := chunk.find(b"\n", max(part.end - 1 - base, 0))) >= 0:
                cutter.feed(chunk[: stop + 1])
                break
            if cutter.feed(chunk):
                yield cutter.take()
        cutter.finish()
        if cutter.has_any:
            yield cutter.take()


def read_blocks(open_file: Callable[[], BinaryIO], path: str) -> Iterator[Block]:
    """All payloads of one file, in order, in blocks of about BLOCK_BYTES.

    Damage in the file is told in the last block; raises StorageUnavailable
    where the storage fails.
    """
    with open_file() as file:
        stream = _Stream(file, path)
        try:
            first = stream.read(4)
        except _Damaged:
            yield Block(unreadable=[_unreadable(path, 0)])
            return
        stream.push_back(first)
        yield from _avro_blocks(stream, path) if first == _MAGIC_AVRO else _line_blocks(stream, open_file, path)


def _unreadable(path: str, lost_bytes: int) -> Unreadable:
    return Unreadable(Reason.UNREADABLE_CONTAINER, lost_bytes, b"file\0" + path.encode())


def _avro_blocks(stream: _Stream, path: str) -> Iterator[Block]:
    requests: list[RawRequest] = []
    size = 0
    try:
        for record in fastavro.reader(stream, raw_schemas()["raw_request.1"]):
            request = _request(record)
            requests.append(request)
            size += len(request.body)
            if size >= BLOCK_BYTES:
                yield Block(requests=requests)
                requests, size = [], 0
    except (*_AVRO_DAMAGE, _Damaged):
        yield Block(requests=requests, unreadable=[_unreadable(path, 0)])
        return
    if requests:
        yield Block(requests=requests)


def _request(record: Any) -> RawRequest:
    return RawRequest(
        record["received_at"].isoformat(),
        record["client_ip"],
        record["telemetry_level"],
        record["snippet_consent"],
        record["content_type"],
        record["content_encoding"],
        record["body"],
    )


def _line_blocks(stream: _Stream, open_file: Callable[[], BinaryIO], path: str) -> Iterator[Block]:
    cutter = LineCutter()
    read_bytes = 0
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            read_bytes += len(chunk)
            if cutter.feed(chunk):
                yield cutter.take()
    except _Damaged:
        for byte in _last_bytes(open_file, path, read_bytes):
            cutter.feed(byte)
        lost = cutter.drop_partial()
        block = cutter.take()
        block.unreadable.append(_unreadable(path, lost))
        yield block
        return
    cutter.finish()
    if cutter.has_any:
        yield cutter.take()


def _last_bytes(open_file: Callable[[], BinaryIO], path: str, read_bytes: int) -> Iterator[bytes]:
    """What a damaged stream still gives after the last whole chunk, byte by byte until it breaks."""
    with open_file() as file:
        stream = _Stream(file, path)
        try:
            while read_bytes > 0:
                read_bytes -= len(stream.read(min(read_bytes, _CHUNK_BYTES)))
            while byte := stream.read(1):
                yield byte
        except _Damaged:
            return


class LineCutter:
    """Cuts a stream of chunks into lines, wherever the chunks end, in bounded memory.

    A line longer than MAX_PAYLOAD_BYTES is passed over and told as Unreadable.
    """

    def __init__(self, *, is_first: bool = True) -> None:
        self._lines: list[bytes] = []
        self._unreadable: list[Unreadable] = []
        self._size = 0
        self._partial: list[bytes] = []
        self._partial_bytes = 0
        self._digest: Any = None
        self._is_first = is_first  # a byte order mark may stand before the first line

    @property
    def has_any(self) -> bool:
        """Whether `take` would give anything."""
        return bool(self._lines or self._unreadable)

    def feed(self, chunk: bytes) -> bool:
        """Takes the next bytes; True when a block's worth of lines is there."""
        head, newline, tail = chunk.partition(b"\n")
        self._grow(head)
        if newline:
            self._end_line()
            lines = tail.split(b"\n")
            self._grow(lines.pop())
            self._lines += [line for line in lines if line and not line.isspace()]
            self._size += len(tail)
        return self._size >= BLOCK_BYTES

    def finish(self) -> None:
        """The stream ended: a last line needs no newline."""
        self._end_line()

    def drop_partial(self) -> int:
        """Gives up the line that was not ended; returns its length in bytes."""
        lost, self._partial_bytes, self._partial, self._digest = self._partial_bytes, 0, [], None
        return lost

    def take(self) -> Block:
        """The lines so far; starts a new block."""
        block = Block(lines=self._lines, unreadable=self._unreadable)
        self._lines, self._unreadable, self._size = [], [], 0
        return block

    def _grow(self, part: bytes) -> None:
        self._partial_bytes += len(part)
        if self._digest is None and self._partial_bytes > MAX_PAYLOAD_BYTES:
            self._digest = blake2b(b"".join(self._partial), digest_size=32)
            self._partial = []
        if self._digest is not None:
            self._digest.update(part)
        else:
            self._partial.append(part)

    def _end_line(self) -> None:
        if self._digest is not None:
            identity = b"line\0" + self._digest.digest()
            self._unreadable.append(Unreadable(Reason.PAYLOAD_TOO_LARGE, self._partial_bytes, identity))
            self._digest = None
        else:
            self._keep(b"".join(self._partial))
        self._partial, self._partial_bytes = [], 0

    def _keep(self, line: bytes) -> None:
        if self._is_first:
            line, self._is_first = line.removeprefix(_BOM), False
        if line and not line.isspace():
            self._lines.append(line)
            self._size += len(line)
