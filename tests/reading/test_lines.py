"""Lines: the same ones wherever the chunks end, each byte accounted for, and none longer than the bound."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Reason
from transforms.core import blocks
from transforms.core.reading import lines
from transforms.core.reading.lines import LineCutter

BOM = b"\xef\xbb\xbf"
MARKED = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\r", BOM, b"\xef", b"a", b"\x00", b" ", b"\xe2\x80\xa8"]) | st.binary(max_size=9)
).map(b"".join)


def cut(data: bytes, ends: list[int]) -> LineCutter:
    cutter, at = LineCutter(), 0
    for end in [*sorted(ends), len(data)]:
        cutter.feed(data[at:end])
        at = max(at, end)
    cutter.finish()
    return cutter


def model(data: bytes) -> list[bytes]:
    bare = [line.removeprefix(BOM) for line in data.split(b"\n")]
    return [line for line in bare if line and not line.isspace()]


@given(MARKED, st.lists(st.integers(0, 80), max_size=8))
def test_cutting_the_chunks_elsewhere_changes_nothing(data: bytes, ends: list[int]) -> None:
    block = cut(data, ends).drain()
    assert block.lines == model(data)
    assert block.cut_bytes == len(data)
    assert block.unreadable == []


@given(MARKED, st.integers(1, 12), st.integers(1, 9))
def test_blocks_that_are_drained_meanwhile_hold_every_line_once(
    data: bytes, block_bytes: int, chunk_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", block_bytes)
        cutter, found = LineCutter(), []
        for at in range(0, len(data), chunk_bytes):
            if cutter.feed(data[at : at + chunk_bytes]):
                assert cutter.has_any
                found.append(cutter.drain())
        cutter.finish()
        found.append(cutter.drain())
    assert [line for block in found for line in block.lines] == model(data)
    assert sum(block.cut_bytes for block in found) == len(data)
    assert not cutter.has_any


@pytest.mark.parametrize("chunk_bytes", [1, 3, 7, 10])
def test_long_lines_are_passed_over_and_those_around_them_kept(chunk_bytes: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(lines, "MAX_PAYLOAD_BYTES", 10)
    long = [b"x" * 11, b"y" * 11, b"x" * 25]
    data = b"\n".join([b"a", long[0], b"b" * 10, long[1], long[2], b"c", long[0]])
    block = cut(data, list(range(0, len(data), chunk_bytes))).drain()
    assert block.lines == [b"a", b"b" * 10, b"c"]
    told = [(u.payload_bytes, u.identity) for u in block.unreadable]
    assert {u.reason for u in block.unreadable} == {Reason.PAYLOAD_TOO_LARGE}
    assert [size for size, _ in told] == [11, 11, 25, 11]
    assert told[0] == told[3], "the same line has the same identity in every run"
    assert len(set(told)) == 3


def test_a_line_without_an_end_can_be_dropped() -> None:
    cutter = LineCutter()
    cutter.feed(b"whole\npart")
    assert cutter.drop_partial() == 4
    assert cutter.drop_partial() == 0
    cutter.finish()
    assert cutter.drain().lines == [b"whole"]


def test_nothing_fed_is_nothing_to_drain() -> None:
    cutter = LineCutter()
    assert not cutter.has_any
    cutter.feed(b"")
    cutter.finish()
    assert not cutter.has_any
    cutter.feed(b"\n")
    assert cutter.has_any, "blank lines are bytes that were read"
