"""Bodies within their bounds, at the limit and one byte beyond; and what they hold is given back."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.collector import bodies
from pipelines.collector.bodies import Memory, content_encoding, inflated, media_type, read_body
from pipelines.collector.refusals import Refused
from transforms.core.blocks import MAX_PAYLOAD_BYTES


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", None]))
def test_inflating_anything_is_refused_or_done(body: bytes, encoding: str | None) -> None:
    status = 0
    try:
        inflated(body, encoding)
    except Refused as refused:
        status = refused.status
    assert status in (0, 400)


def read(chunks: list[bytes], limit_bytes: int, memory: Memory, announced: str | None = None) -> bytes:
    async def sent() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def run() -> bytes:
        with memory.held() as held:
            return await read_body(sent(), announced, limit_bytes, held)

    return asyncio.run(run())


@given(st.lists(st.binary(max_size=30), max_size=8), st.integers(0, 120), st.integers(0, 120))
def test_a_body_is_read_whole_or_refused_by_the_first_bound_it_passes(
    chunks: list[bytes], limit_bytes: int, memory_bytes: int
) -> None:
    memory = Memory(memory_bytes)
    status, total = None, 0
    for chunk in chunks:
        total += len(chunk)
        if status is None and total > limit_bytes:
            status = 413
        elif status is None and total > memory_bytes:
            status = 503
    try:
        assert read(chunks, limit_bytes, memory) == b"".join(chunks)
        assert status is None
    except Refused as refused:
        assert refused.status == status  # noqa: PT017
    assert memory.held_bytes == 0


@pytest.mark.parametrize(
    ("announced", "refused"),
    [("10", False), ("11", True), ("9" * 5000, True), ("-1", False), ("x", False), ("\u0663", False), ("", False)],
)
def test_what_is_announced_is_refused_before_it_is_read(announced: str, refused: bool) -> None:
    if refused:
        with pytest.raises(Refused, match="longer than 10 bytes"):
            read([b"x"], 10, Memory(100), announced)
    else:
        assert read([b"x"], 10, Memory(100), announced) == b"x"


def test_a_body_that_does_not_end_is_answered_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_BODY_TIMEOUT_S", 0.05)
    memory = Memory(100)

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(5)

    async def run() -> None:
        with memory.held() as held:
            await read_body(slow(), None, 10, held)

    with pytest.raises(Refused) as refused:
        asyncio.run(run())
    assert refused.value.status == 408
    assert memory.held_bytes == 0


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
@pytest.mark.parametrize("more_bytes", [0, 1])
def test_inflating_to_the_limit_and_beyond(pack: object, more_bytes: int) -> None:
    packed = pack(bytes(MAX_PAYLOAD_BYTES + more_bytes))  # type: ignore[operator]
    name = "gzip" if pack is gzip.compress else "deflate"
    if more_bytes:
        with pytest.raises(Refused) as refused:
            inflated(packed, name)
        assert refused.value.status == 413
    else:
        assert len(inflated(packed, name)) == MAX_PAYLOAD_BYTES


def test_members_of_gzip_count_together() -> None:
    half = gzip.compress(bytes(MAX_PAYLOAD_BYTES // 2 + 1))
    with pytest.raises(Refused) as refused:
        inflated(half + half, "gzip")
    assert refused.value.status == 413


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_compressed_body_that_is_cut_anywhere_is_refused(body: bytes, data: st.DataObject) -> None:
    for pack, name in ((gzip.compress, "gzip"), (zlib.compress, "deflate")):
        packed = pack(body)
        assert inflated(packed, name) == body
        at = data.draw(st.integers(2, len(packed) - 1))
        with pytest.raises(Refused) as refused:
            inflated(packed[:at], name)
        assert refused.value.status == 400


@given(st.text(max_size=30))
def test_types_and_encodings_are_known_or_refused(header: str) -> None:
    for read_header in (media_type, content_encoding):
        try:
            found = read_header(header)
        except Refused as refused:
            assert refused.status == 415  # noqa: PT017
        else:
            assert found is None or found in header.lower() or found == "gzip"
