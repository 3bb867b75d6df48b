"""Blocks of an Avro container, read back by fastavro; and how far a container is whole."""

import io
import os
from datetime import UTC, datetime
from pathlib import Path

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.collector import avro_blocks
from pipelines.collector.records import Record

MARKER = bytes(range(16))
TEXT = st.none() | st.text(max_size=20)
RECORDS = st.lists(
    st.builds(
        Record,
        st.integers(0, 4 * 10**15),
        TEXT,
        st.sampled_from(["all", "error", "crash", "off"]),
        st.booleans(),
        TEXT,
        TEXT,
        st.binary(max_size=200),
    ),
    min_size=1,
    max_size=5,
)


@given(st.lists(RECORDS, max_size=4))
def test_fastavro_reads_back_what_was_written(groups: list[list[Record]]) -> None:
    raw = avro_blocks.header(MARKER) + b"".join(avro_blocks.block(group, MARKER) for group in groups)
    read = list(fastavro.reader(io.BytesIO(raw)))
    written = [record for group in groups for record in group]
    assert len(read) == len(written)
    for found, record in zip(read, written, strict=True):
        moment = found["received_at"]
        assert round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6) == pytest.approx(
            record.received_at_us, abs=1
        )
        assert tuple(found.values())[1:] == record[1:]


@settings(max_examples=30)
@given(st.lists(RECORDS, min_size=1, max_size=3), st.data())
def test_how_far_a_cut_container_is_whole(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[Record]], data: st.DataObject
) -> None:
    pieces = [avro_blocks.header(MARKER), *(avro_blocks.block(group, MARKER) for group in groups)]
    raw = b"".join(pieces)
    at = data.draw(st.integers(len(pieces[0]), len(raw)))
    path = tmp_path_factory.mktemp("a") / "x.avro"
    path.write_bytes(raw[:at])
    end, count = len(pieces[0]), 0
    for piece, group in zip(pieces[1:], groups, strict=True):
        if end + len(piece) > at:
            break
        end, count = end + len(piece), count + len(group)
    assert avro_blocks.whole_part(str(path))[:2] == (end, count)
    assert avro_blocks.whole_part(str(path)).is_cut


def test_damage_within_a_block_is_not_taken_for_a_cut(tmp_path: Path) -> None:
    record = Record(1, None, "all", False, None, None, os.urandom(100))
    blocks = [avro_blocks.block([record], MARKER) for _ in range(3)]
    blocks[1] = blocks[1][:-1] + bytes([blocks[1][-1] ^ 1])
    (tmp_path / "x").write_bytes(avro_blocks.header(MARKER) + b"".join(blocks))
    whole = avro_blocks.whole_part(str(tmp_path / "x"))
    assert (whole.records, whole.is_cut) == (1, False)


@given(st.binary(max_size=60))
@settings(max_examples=50)
def test_what_is_no_container_is_said_to_be_none(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("b") / "x"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"empty|no header"):
        avro_blocks.whole_part(str(path))


@given(st.integers(0, 2**62))
def test_longs_as_avro_writes_them(number: int) -> None:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    assert avro_blocks._zigzag(number) == out.getvalue()
    assert avro_blocks._unzigzag(out.getvalue(), 0) == (number, len(out.getvalue()))  # type: ignore[arg-type]
