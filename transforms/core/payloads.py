"""Source files -> blocks of payloads, whatever container and compression they come in.

Told apart by content: gzip, zstd and Avro say what they are in their first
bytes; anything else is NDJSON. A container that ends early or is damaged gives
all that can be read and one `Unreadable` for the rest.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, BinaryIO, NamedTuple

import fastavro
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from schemas.errors import Reason
from schemas.registry import raw_schemas
from transforms.core import blocks
from transforms.core.blocks import Block, LineCutter, RawRequest, Unreadable
from transforms.core.streams import CODECS, Damaged, PlainStream, RawFile

_CHUNK_BYTES = 1 << 18
_MAGIC_AVRO = b"Obj\x01"
_AVRO_DAMAGE = (
    EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error, zlib.error,
    OverflowError, MemoryError, SchemaResolutionError, SchemaParseException,
)  # fmt: skip
"""What fastavro raises on bytes that are no Avro, or Avro of another schema; ours are not among them."""


class Range(NamedTuple):
    """A part of a source file: all of it, or the lines that begin in `start <= byte < end`.

    Size and version are the file's, as they were when it was listed.
    """

    path: str
    start: int = 0
    end: int | None = None
    size_bytes: int = 0
    version: str = ""

    @property
    def digest(self) -> str:
        """16 hex digits that name the range in the books: another version of the file has others."""
        identity = f"{self.path}\0{self.size_bytes}\0{self.version}\0{self.start}\0{self.end}"
        return blake2b(identity.encode(errors="surrogateescape"), digest_size=8).hexdigest()


def is_plain(first: bytes) -> bool:
    """Whether a file that begins so is plain lines, which can be read from any byte on."""
    return first[:2] not in CODECS and first[:4] != _MAGIC_AVRO


def read_range(open_file: Callable[[], BinaryIO], part: Range) -> Iterator[Block]:
    """The payloads of a range, each line in the one range in which it begins.

    Raises StorageUnavailable where the storage fails.
    """
    if part.end is None:
        yield from read_blocks(open_file, part.path)
        return
    with open_file() as file:
        raw = RawFile(file, part.path)
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
        stream = PlainStream(file, path)
        try:
            first = stream.read(4)
        except Damaged:
            yield Block(unreadable=[_unreadable(path, 0)])
            return
        stream.push_back(first)
        yield from _avro_blocks(stream, path) if first == _MAGIC_AVRO else _line_blocks(stream, open_file, path)


def _unreadable(path: str, lost_bytes: int) -> Unreadable:
    return Unreadable(Reason.UNREADABLE_CONTAINER, lost_bytes, b"file\0" + path.encode())


def _avro_blocks(stream: PlainStream, path: str) -> Iterator[Block]:
    requests: list[RawRequest] = []
    size = 0
    try:
        for record in fastavro.reader(stream, raw_schemas()["raw_request.1"]):
            request = _request(record)
            requests.append(request)
            size += len(request.body)
            if size >= blocks.BLOCK_BYTES:
                yield Block(requests=requests)
                requests, size = [], 0
    except (*_AVRO_DAMAGE, Damaged):
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


def _line_blocks(stream: PlainStream, open_file: Callable[[], BinaryIO], path: str) -> Iterator[Block]:
    cutter = LineCutter()
    read_bytes = 0
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            read_bytes += len(chunk)
            if cutter.feed(chunk):
                yield cutter.take()
    except Damaged:
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
        stream = PlainStream(file, path)
        try:
            while read_bytes > 0:
                read_bytes -= len(stream.read(min(read_bytes, _CHUNK_BYTES)))
            while byte := stream.read(1):
                yield byte
        except Damaged:
            return
