"""Decompression: bounded, whole where the data is, and of damaged data a true beginning; never another exception."""

import bz2
import gzip
import lzma
import random
import zlib
from collections.abc import Callable, Iterator

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.core.reading.inflate import (
    GZIP,
    PIECE_BYTES,
    ZSTD,
    Codec,
    Damaged,
    Stream,
    TooLarge,
    bzip2_block,
    concatenated,
    deflate_block,
    inflated,
    is_skippable,
    xz_block,
    zstd_frame,
)


def deflated(data: bytes) -> bytes:
    return zlib.compress(data, 6, -15)


BLOCKS: dict[str, tuple[Callable[[bytes], bytes], Callable[[], Stream]]] = {
    "deflate": (deflated, deflate_block),
    "bzip2": (bz2.compress, bzip2_block),
    "xz": (lzma.compress, xz_block),
    "zstd": (zstd.compress, zstd_frame),
}
FILES: dict[str, tuple[Callable[[bytes], bytes], Codec]] = {
    "gzip": (gzip.compress, GZIP),
    "zstd": (zstd.compress, ZSTD),
}
TEXT = random.Random(1).randbytes(3000).hex().encode() + b"a" * 3000
DATA = st.binary(max_size=300) | st.integers(0, 5000).map(lambda size: b"ab" * size)


def pieces_of(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read(data: bytes, codec: Codec, size: int = 1000) -> tuple[bytes, bool]:
    """What comes out, and whether it ended as it should; each piece is bounded."""
    out = bytearray()
    try:
        for piece in concatenated(pieces_of(data, size), codec):
            assert 0 < len(piece) <= PIECE_BYTES
            out += piece
    except Damaged:
        return bytes(out), False
    return bytes(out), True


@pytest.mark.parametrize("name", BLOCKS)
@given(DATA)
@settings(max_examples=40)
def test_a_block_comes_out_as_it_went_in_and_not_beyond_its_bound(name: str, data: bytes) -> None:
    pack, make = BLOCKS[name]
    assert inflated(make, pack(data), len(data)) == data
    if data:
        with pytest.raises(TooLarge):
            inflated(make, pack(data), len(data) - 1)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_that_was_cut_anywhere_is_damaged(name: str) -> None:
    pack, make = BLOCKS[name]
    packed = pack(TEXT)
    for cut in {0, 1, 2, len(packed) - 1, *range(3, len(packed), 37)}:
        with pytest.raises(Damaged):
            inflated(make, packed[:cut], 2 * len(TEXT))


@pytest.mark.parametrize("name", BLOCKS)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
@settings(max_examples=40)
def test_a_block_with_damage_is_damaged_or_stays_in_its_bound(name: str, place: int, junk: bytes) -> None:
    pack, make = BLOCKS[name]
    packed = bytearray(pack(TEXT))
    at = place % len(packed)
    packed[at : at + len(junk)] = junk
    try:
        assert len(inflated(make, bytes(packed), len(TEXT))) <= len(TEXT)
    except (Damaged, TooLarge):
        return


@pytest.mark.parametrize("name", BLOCKS)
@given(st.binary(max_size=60))
@settings(max_examples=40)
def test_any_bytes_are_a_block_or_damaged(name: str, data: bytes) -> None:
    try:
        inflated(BLOCKS[name][1], data, 1000)
    except (Damaged, TooLarge):
        return


@pytest.mark.parametrize("name", BLOCKS)
def test_a_bomb_stops_at_its_bound(name: str) -> None:
    pack, make = BLOCKS[name]
    bomb = pack(bytes(16 * 1024 * 1024))
    with pytest.raises(TooLarge):
        inflated(make, bomb, PIECE_BYTES)


@pytest.mark.parametrize("name", FILES)
@given(st.lists(DATA, min_size=1, max_size=4), st.integers(0, 40), st.integers(1, 3000))
@settings(max_examples=40)
def test_members_in_a_row_with_zeros_between_are_one_content(
    name: str, parts: list[bytes], zeros: int, size: int
) -> None:
    pack, codec = FILES[name]
    data = bytes(zeros).join(pack(part) for part in parts) + bytes(zeros)
    assert read(data, codec, size) == (b"".join(parts), True)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_cut_anywhere_gives_a_beginning_of_its_content(name: str) -> None:
    pack, codec = FILES[name]
    first, second = pack(TEXT), pack(TEXT[::-1])
    content = TEXT + TEXT[::-1]
    for cut in {1, 2, 3, len(first) - 1, *range(4, len(first + second), 211)}:
        found, is_whole = read((first + second)[:cut], codec)
        assert content.startswith(found)
        assert is_whole == (cut in (0, len(first)))
        if cut > len(first):
            assert found.startswith(TEXT), "members before the damage are whole"


@pytest.mark.parametrize("name", FILES)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
@settings(max_examples=40)
def test_damage_in_a_file_costs_no_member_before_it(name: str, place: int, junk: bytes) -> None:
    pack, codec = FILES[name]
    first, second = pack(TEXT), bytearray(pack(TEXT))
    at = place % len(second)
    second[at : at + len(junk)] = junk
    assert read(first + bytes(second), codec)[0].startswith(TEXT)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("behind", [b"x", b"\0\0x", b"\x1f", b"\x28\xb5\x2f", b"{}\n"])
def test_something_else_behind_the_last_member_is_damage(name: str, behind: bytes) -> None:
    pack, codec = FILES[name]
    assert read(pack(TEXT) + behind, codec) == (TEXT, False)


@pytest.mark.parametrize("name", FILES)
def test_no_bytes_and_zeros_alone_hold_nothing(name: str) -> None:
    codec = FILES[name][1]
    assert read(b"", codec) == read(bytes(5000), codec) == (b"", True)


def test_of_broken_gzip_every_byte_before_the_damage_comes_out() -> None:
    packed = gzip.compress(TEXT, 9)
    found, is_whole = read(packed[: len(packed) // 2] + b"\xff" * 40, GZIP, 64)
    model, expected = zlib.decompressobj(31), bytearray()
    try:
        for at in range(len(packed)):
            expected += model.decompress((packed[: len(packed) // 2] + b"\xff" * 40)[at : at + 1])
    except zlib.error:
        pass
    assert not is_whole
    assert found == bytes(expected)
    assert len(found) > 1000


@given(st.binary(min_size=4, max_size=4))
def test_skippable_frames_are_those_of_the_format(first: bytes) -> None:
    assert is_skippable(first) == (0x184D2A50 <= int.from_bytes(first, "little") <= 0x184D2A5F)


def test_a_window_of_more_than_128_mb_is_refused() -> None:
    for log, is_read in ((27, True), (28, False)):
        packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
        data = packer.compress(TEXT, zstd.ZstdCompressor.FLUSH_BLOCK) + packer.flush()
        assert read(data, ZSTD) == ((TEXT, True) if is_read else (b"", False))
