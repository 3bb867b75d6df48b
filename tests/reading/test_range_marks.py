"""Marks of ranges: each line in one range, and bytes that add up to the files as stored, whatever is damaged."""

import gzip
import io
import random
from collections.abc import Iterator
from typing import BinaryIO

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reading.test_payloads import LINES, TEXT, avro
from transforms.core import blocks
from transforms.core.blocks import Block
from transforms.core.ranges import Range
from transforms.core.reading.file_kinds import Kind, kind_of
from transforms.core.reading.payloads import read_range
from transforms.core.reading.range_marks import marked

PLAIN = st.lists(st.sampled_from([b"\n", b"\r\n", b"\xef\xbb\xbf", b"{}", b" "]) | st.binary(max_size=7)).map(b"".join)


def read(data: bytes, part: Range) -> list[Block]:
    return list(marked(read_range, lambda: io.BytesIO(data), part))


def whole(data: bytes) -> Range:
    return Range("memory", 0, None, len(data), "v")


def told(found: list[Block]) -> tuple[int, int]:
    """Bytes and payloads of a range, as its blocks told them."""
    return sum(r.read_bytes for b in found for r in b.read), sum(r.payloads for b in found for r in b.read)


def payloads(found: list[Block]) -> int:
    return sum(len(b.lines) + len(b.requests) + len(b.unreadable) for b in found)


@given(PLAIN, st.integers(1, 40))
def test_any_cut_into_ranges_gives_each_line_once_and_all_bytes(data: bytes, range_bytes: int) -> None:
    if kind_of(data) is not Kind.LINES:
        return
    parts = [Range("memory", at, at + range_bytes, len(data), "v") for at in range(0, len(data), range_bytes)]
    found = [read(data, part) for part in parts]
    expected = read(data, whole(data))
    assert [line for f in found for b in f for line in b.lines] == [line for b in expected for line in b.lines]
    assert sum(told(f)[0] for f in found) == told(expected)[0] == len(data)
    assert sum(told(f)[1] for f in found) == told(expected)[1] == payloads(expected)
    for part, blocks_ in zip(parts, found, strict=True):
        assert {r.range for b in blocks_ for r in b.read} == {part.digest}


FILES = {
    "plain": TEXT, "gzip": gzip.compress(TEXT), "zstd": zstandard.compress(TEXT), "avro": avro(LINES[:300]),
    "avro in gzip": gzip.compress(avro(LINES[:300])), "utf-16": TEXT.decode().encode("utf-16"), "tar": bytes(257) + b"ustar" + bytes(250),
    "empty": b"", "gzip of nothing": gzip.compress(b""), "junk gzip": b"\x1f\x8bjunk", "junk avro": b"Obj\x01junk",
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@given(st.integers(0, 400), st.booleans())
@settings(max_examples=20)
def test_bytes_add_up_to_the_file_wherever_it_is_cut_short(name: str, lost: int, is_damaged: bool) -> None:
    data = FILES[name][: len(FILES[name]) - lost] if lost else FILES[name]
    if is_damaged and len(data) > 100:
        data = data[: len(data) // 2] + bytes(30) + data[len(data) // 2 + 30 :]
    found = read(data, whole(data))
    assert told(found) == (len(data), payloads(found))
    assert all(r.read_bytes >= 0 for b in found for r in b.read)
    assert not found[-1].lines, "the last block tells the range alone"


def test_blocks_that_are_lost_or_read_twice_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 10_000)
    monkeypatch.setattr("transforms.core.reading.streams.CHUNK_BYTES", 4096)
    found = read(TEXT, whole(TEXT))
    assert len(found) > 3
    assert told(found) == (len(TEXT), len(LINES))
    assert told(found[1:])[0] < len(TEXT)
    assert told([*found, found[0]])[0] > len(TEXT)


def test_a_reader_that_leaves_off_is_seen_in_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(open_file: object, part: Range) -> Iterator[Block]:
        yield next(read_range(open_file, part))  # type: ignore[arg-type]

    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100_000)
    data = gzip.compress(random.Random(1).randbytes(500_000).hex("\n", 100).encode())
    found = list(marked(stops, lambda: io.BytesIO(data), whole(data)))
    assert told(found)[0] < len(data)


def test_the_stored_file_is_closed() -> None:
    opened: list[BinaryIO] = []

    def open_file() -> BinaryIO:
        opened.append(io.BytesIO(TEXT))
        return opened[-1]

    assert list(marked(read_range, open_file, whole(TEXT)))
    assert [file.closed for file in opened] == [True]


def test_bytes_behind_a_gap_do_not_count() -> None:
    """A reader that skips a part has not read the file, though it came to its end."""

    def skips(open_file: object, part: Range) -> Iterator[Block]:
        with open_file() as file:  # type: ignore[operator]
            file.read(50)
            file.read(50)  # done with only when more is asked for
            file.seek(200)
            while file.read(100):
                pass
        yield Block()

    data = gzip.compress(random.Random(2).randbytes(1000))
    assert told(list(marked(skips, lambda: io.BytesIO(data), whole(data))))[0] == 50
