"""Records as blocks of an Avro container, and how far a container is whole.

A group that is committed is one block, so the file is whole after each: a
count, a length, the records compressed, and the file's 16 bytes of marker.
"""

import io
import mmap
import os
from collections.abc import Sequence
from typing import NamedTuple

import fastavro
import zstandard

from pipelines.collector.records import Record
from schemas.registry import raw_schemas

MARKER_BYTES = 16
_SCHEMA = fastavro.parse_schema(raw_schemas()["raw_request.1"])
_FIELDS = Record._fields
_NAMES = ("received_at", *_FIELDS[1:])
_LEVEL = 1  # plain bodies shrink to a sixth at 500 MB/s; gzipped ones stay as they are


def header(marker: bytes) -> bytes:
    """A container's beginning: the schema, the codec, the marker."""
    out = io.BytesIO()
    fastavro.writer(out, _SCHEMA, [], codec="zstandard", sync_marker=marker)
    return out.getvalue()


def block(records: Sequence[Record], marker: bytes) -> bytes:
    """The records as one block."""
    out = io.BytesIO()
    for record in records:
        fastavro.schemaless_writer(out, _SCHEMA, dict(zip(_NAMES, record, strict=True)))
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(out.getbuffer())
    return b"".join((_zigzag(len(records)), _zigzag(len(packed)), packed, marker))


class Whole(NamedTuple):
    """How far a container is whole: the end of its last whole block, and its records up to there.

    `is_cut` says that what follows is the beginning of one block and no more.
    """

    end: int
    records: int
    is_cut: bool


def whole_part(path: str) -> Whole:
    """Looks through a container, block by block; raises ValueError where its header is not whole."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise ValueError("empty")
        try:
            fastavro.block_reader(file)
        except (EOFError, ValueError, KeyError, IndexError, TypeError) as cause:
            raise ValueError("no header of a container") from cause
        end = file.tell()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            marker = data[end - MARKER_BYTES : end]
            records = 0
            while (found := _block_at(data, end, marker)) is not None:
                end, count = found
                records += count
            return Whole(end, records, is_cut=data.find(marker, end) < 0)


def _block_at(data: mmap.mmap, at: int, marker: bytes) -> tuple[int, int] | None:
    """Where the block that begins there ends, and its records; None where it is not whole."""
    try:
        count, at = _unzigzag(data, at)
        size, at = _unzigzag(data, at)
    except IndexError:
        return None
    end = at + size + MARKER_BYTES
    if count < 0 or size < 0 or end > len(data) or data[end - MARKER_BYTES : end] != marker:
        return None
    return end, count


def _zigzag(number: int) -> bytes:
    """A long as Avro writes it; here never negative."""
    out, left = bytearray(), number << 1
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def _unzigzag(data: mmap.mmap, at: int) -> tuple[int, int]:
    """A long and where it ends; raises IndexError at the file's end, or where it is longer than a long."""
    number = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
    raise IndexError("longer than a long")
