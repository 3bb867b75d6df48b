"""Avro containers of requests -> blocks: read by ourselves, in bounded memory, past what is damaged.

fastavro follows a file's own schema and inflates a block whole, whatever it
grows to. Here the writer's schema is compared before a record is read, each
block is inflated up to a bound, and behind a damaged block reading goes on at
the next sync marker.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from schemas.errors import Reason
from transforms.core import blocks
from transforms.core.blocks import Block, RawRequest, Unreadable, part_of_file
from transforms.core.reading.avro.layout import FIELDS, ForeignSchema, Step, layout
from transforms.core.reading.avro.values import INVALID, Broken, read_long
from transforms.core.reading.file_kinds import AVRO_MAGIC
from transforms.core.reading.inflate import (
    Damaged,
    TooLarge,
    bzip2_block,
    deflate_block,
    inflated,
    xz_block,
    zstd_frame,
)
from transforms.core.reading.streams import PlainStream

MAX_BLOCK_BYTES = 64 * 1024 * 1024
"""A longer block, as stored or inflated, is skipped. Writers end a block after 16 KB to 1 MB."""

_SYNC_BYTES = 16
_MAX_METADATA_BYTES = 1024 * 1024
_MAX_LONG_BYTES = 10
_RECORD_BYTES = 300
"""Memory that a request takes beside its body."""


class _Header(NamedTuple):
    steps: list[Step]
    inflate: Callable[[bytes], bytes]
    sync: bytes


def _plain(data: bytes) -> bytes:
    return data


def _unsnapped(data: bytes) -> bytes:
    """Snappy with four bytes of checksum behind it, as Avro has it."""
    packed, checksum = data[:-4], int.from_bytes(data[-4:], "big")
    try:
        size, _ = _read_varint(packed)
        if size > MAX_BLOCK_BYTES:
            raise TooLarge
        plain = bytes(pa.Codec("snappy").decompress(packed, size))
    except (Broken, pa.ArrowException, OSError):
        raise Damaged from None
    if zlib.crc32(plain) != checksum:
        raise Damaged
    return plain


def _read_varint(data: bytes) -> tuple[int, int]:
    """Snappy's length: as Avro's numbers, without a sign."""
    number, at = read_long(data, 0)
    return (number << 1) ^ (number >> 63), at


_CODECS: dict[bytes, Callable[[bytes], bytes]] = {
    b"null": _plain,
    b"deflate": lambda data: inflated(deflate_block, data, MAX_BLOCK_BYTES),
    b"bzip2": lambda data: inflated(bzip2_block, data, MAX_BLOCK_BYTES),
    b"xz": lambda data: inflated(xz_block, data, MAX_BLOCK_BYTES),
    b"zstandard": lambda data: inflated(zstd_frame, data, MAX_BLOCK_BYTES),
    b"snappy": _unsnapped,
}


def avro_blocks(stream: PlainStream, path: str, size_bytes: int) -> Iterator[Block]:
    """The requests of a container, in order; `size_bytes` is reported for a file that is refused whole.

    The blocks also report what cannot be read: a whole file (foreign schema, no
    header), a damaged block, an invalid record, an end in the middle of a block.
    """
    try:
        header = _read_header(stream)
    except (Damaged, Broken):
        yield Block(unreadable=[Unreadable(Reason.UNREADABLE_CONTAINER, size_bytes, part_of_file(path))])
        return
    except ForeignSchema:
        yield Block(unreadable=[Unreadable(Reason.FOREIGN_SCHEMA, size_bytes, part_of_file(path))])
        return
    gathered, gathered_bytes = Block(), 0
    for part in _parts(stream, header, path):
        if isinstance(part, RawRequest):
            gathered.requests.append(part)
            gathered_bytes += len(part.body)
        else:
            gathered.unreadable.append(part)
        gathered_bytes += _RECORD_BYTES
        if gathered_bytes >= blocks.BLOCK_BYTES:
            yield gathered
            gathered, gathered_bytes = Block(), 0
    if gathered.requests or gathered.unreadable:
        yield gathered


def _read_header(stream: PlainStream) -> _Header:
    """Raises Damaged, Broken, ForeignSchema."""
    if stream.read(len(AVRO_MAGIC)) != AVRO_MAGIC:
        raise Damaged
    metadata: dict[bytes, bytes] = {}
    while count := _next_long(stream):
        if count < 0:
            _next_long(stream)
        for _ in range(abs(count)):
            key = _next_bytes(stream)
            metadata[key] = _next_bytes(stream)
            if stream.given_bytes > _MAX_METADATA_BYTES:
                raise Damaged
    sync = stream.read(_SYNC_BYTES)
    inflate = _CODECS.get(metadata.get(b"avro.codec") or b"null")
    if len(sync) < _SYNC_BYTES or inflate is None:
        raise Damaged
    return _Header(layout(metadata.get(b"avro.schema", b"")), inflate, sync)


def _next_long(stream: PlainStream) -> int:
    number, size = read_long(stream.peek(_MAX_LONG_BYTES), 0)
    stream.read(size)
    return number


def _next_bytes(stream: PlainStream) -> bytes:
    size = _next_long(stream)
    if not 0 <= size <= _MAX_METADATA_BYTES:
        raise Damaged
    data = stream.read(size)
    if len(data) < size:
        raise Damaged
    return data


def _parts(stream: PlainStream, header: _Header, path: str) -> Iterator[RawRequest | Unreadable]:
    while head := stream.peek(2 * _MAX_LONG_BYTES):
        begin = stream.given_bytes
        count, size, data_at = _block_head(head)
        if size <= MAX_BLOCK_BYTES and count >= 0:
            marker = stream.peek_at(data_at + size, _SYNC_BYTES)
            if marker == header.sync or (stream.ahead_bytes >= data_at + size and header.sync.startswith(marker)):
                stream.read(data_at)
                yield from _block(stream.read(size), count, header, path, begin)
                stream.read(_SYNC_BYTES)
                if marker == header.sync:
                    continue
                break
        is_at_end = stream.ahead_bytes < data_at + size + _SYNC_BYTES
        lost_bytes = stream.read_past(header.sync)
        if lost_bytes is None and is_at_end:
            yield Unreadable(Reason.UNREADABLE_CONTAINER, stream.given_bytes - begin, part_of_file(path))
            return
        lost_bytes = stream.given_bytes - begin if lost_bytes is None else lost_bytes
        is_long = lost_bytes == data_at + size > MAX_BLOCK_BYTES
        reason = Reason.PAYLOAD_TOO_LARGE if is_long else Reason.DAMAGED_BLOCK
        yield Unreadable(reason, lost_bytes, part_of_file(path, begin))
    else:
        if not stream.is_broken:
            return
    yield Unreadable(Reason.UNREADABLE_CONTAINER, 0, part_of_file(path))


def _block_head(head: bytes) -> tuple[int, int, int]:
    """A block's count of records, its bytes, and where they begin; a count of -1 where it cannot be one."""
    try:
        count, at = read_long(head, 0)
        size, at = read_long(head, at)
    except Broken:
        return -1, 0, 0
    return (count, size, at) if size >= 0 else (-1, 0, 0)


def _block(data: bytes, count: int, header: _Header, path: str, begin: int) -> Iterator[RawRequest | Unreadable]:
    try:
        yield from _records(header.inflate(data), count, header.steps, path, begin)
    except Damaged:
        yield Unreadable(Reason.DAMAGED_BLOCK, len(data), part_of_file(path, begin))
    except TooLarge:
        yield Unreadable(Reason.PAYLOAD_TOO_LARGE, len(data), part_of_file(path, begin))


def _records(data: bytes, count: int, steps: list[Step], path: str, begin: int) -> Iterator[RawRequest | Unreadable]:
    at, is_short = 0, False
    for _ in range(count):
        start = at
        values: list[Any] = [None] * FIELDS
        try:
            for slot, read in steps:
                value, at = read(data, at)
                if slot is not None:
                    values[slot] = value
        except Broken:
            at, is_short = start, True
            break
        if INVALID in values:
            yield Unreadable(Reason.INVALID_RECORD, at - start, part_of_file(path, begin, start))
        else:
            yield RawRequest(*values)
    if is_short or at != len(data):
        yield Unreadable(Reason.DAMAGED_BLOCK, len(data) - at, part_of_file(path, begin))
