"""Source files -> blocks of payloads, whatever container and compression they come in.

The first bytes of a file tell what it is: gzip, zstd, Avro, or a container that
we do not read, such as zip or Parquet. Any other file is NDJSON. A file that ends
early or is damaged gives everything that can be read, and an `Unreadable` for
each part that cannot.
"""

import codecs
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

from schemas.errors import Reason
from transforms.core.blocks import Block, Unreadable, part_of_file
from transforms.core.ranges import Range
from transforms.core.reading.avro.container import avro_blocks
from transforms.core.reading.file_kinds import START_BYTES, Kind, kind_of
from transforms.core.reading.inflate import Damaged
from transforms.core.reading.lines import LineCutter
from transforms.core.reading.streams import CHUNK_BYTES, PlainStream, RawFile, plain_stream


def is_plain(first: bytes) -> bool:
    """Whether a file with these first START_BYTES is plain lines, which can be read from any byte on."""
    return kind_of(first) is Kind.LINES


def read_range(open_file: Callable[[], BinaryIO], part: Range) -> Iterator[Block]:
    """The payloads of a range, each line in the one range in which it begins.

    Raises StorageUnavailable where the storage fails.
    """
    if part.end is None:
        yield from read_blocks(open_file, part.path)
        return
    with open_file() as file:
        raw = RawFile(file, part.path)
        cutter = LineCutter()
        at = max(part.start - 1, 0)
        raw.seek(at)
        inside = part.start == 0  # else the bytes before the first newline belong to a line of an earlier range
        while chunk := raw.read(CHUNK_BYTES):
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
                yield cutter.drain()
        cutter.finish()
        if cutter.has_any:
            yield cutter.drain()


def read_blocks(
    open_file: Callable[[], BinaryIO], path: str, new_cutter: Callable[[], LineCutter] = LineCutter
) -> Iterator[Block]:
    """All payloads of one file, in order, in blocks of about BLOCK_BYTES; `new_cutter` makes what cuts plain lines.

    Raises StorageUnavailable where the storage fails.
    """
    with open_file() as file:
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        stream = plain_stream(file, path)
        kind = kind_of(stream.peek(START_BYTES))
        if kind is Kind.AVRO:
            yield from avro_blocks(stream, path, size_bytes)
        elif kind in (Kind.LINES, Kind.UTF16, Kind.UTF32):
            yield from _line_blocks(stream, kind, path, new_cutter())
        else:
            yield Block(unreadable=[Unreadable(Reason.UNREADABLE_CONTAINER, size_bytes, part_of_file(path))])


def _line_blocks(stream: PlainStream, kind: Kind, path: str, cutter: LineCutter) -> Iterator[Block]:
    is_cut = False
    try:
        for piece in stream.pieces() if kind is Kind.LINES else _as_utf8(stream, kind):
            if cutter.feed(piece):
                yield cutter.drain()
        cutter.finish()
    except Damaged:
        is_cut = True
        lost_bytes = cutter.drop_partial()
    block = cutter.drain()
    if is_cut:
        block.unreadable.append(Unreadable(Reason.UNREADABLE_CONTAINER, lost_bytes, part_of_file(path)))
    if block.lines or block.unreadable or block.cut_bytes:
        yield block


def _as_utf8(stream: PlainStream, kind: Kind) -> Iterator[bytes]:
    """UTF-16 or UTF-32, as the byte order mark says, made UTF-8; bytes that are no text become U+FFFD."""
    decoder = codecs.getincrementaldecoder(kind.value)(errors="replace")
    for piece in stream.pieces():
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()
