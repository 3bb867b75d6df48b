"""Chosen rows of a quarantine file, and no others, come out as blocks; a file that has changed is told."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import StorageUnavailable
from tests.quarantine.test_opening import OPERATORS
from tests.quarantine.test_rows import row_of
from transforms.core.blocks import RawRequest
from transforms.core.decoding import sealed_part
from transforms.core.decoding.lowered import Consent
from transforms.core.decoding.sealed_part import SealedPart, SealedRow, blocks_of
from transforms.core.quarantine.rows import Payload
from transforms.core.ranges import Range

REQUEST = RawRequest("2026-03-29T10:00:00+00:00", "8.8.8.8", "all", True, None, None, b"")
PAYLOADS = [Payload(b"first"), Payload(b"second"), Payload(b"third", REQUEST)]


def file_in(folder: Path) -> tuple[str, list[str]]:
    rows = [row_of(payload) for payload in PAYLOADS]
    columns = ["payload_id", "container", "body", "body_key_id"]
    pq.write_table(pa.Table.from_pylist([{name: row[name] for name in columns} for row in rows]), folder / "x.parquet")
    return str(folder / "x.parquet"), [row["payload_id"] for row in rows]


def part_of(path: str, *rows: SealedRow) -> SealedPart:
    return SealedPart(Range(path, 0, None, 16, "digest"), path, rows)


def test_the_chosen_rows_and_what_was_read(tmp_path: Path) -> None:
    path, ids = file_in(tmp_path)
    block, told = blocks_of(
        part_of(path, SealedRow(1, ids[1]), SealedRow(2, ids[2], Consent("error", False))), OPERATORS
    )
    assert block.lines == [b"second"]
    (request,) = block.requests
    assert (request.body, request.telemetry_level, request.snippet_consent) == (b"third", "error", False)
    (read,) = told.read
    assert (read.read_bytes, read.payloads) == (16, 2)
    assert read.range == part_of(path).part.digest


def test_blocks_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_part, "BLOCK_BYTES", 6)
    path, ids = file_in(tmp_path)
    rows = [SealedRow(number, name) for number, name in enumerate(ids)]
    blocks = list(blocks_of(part_of(path, *rows), OPERATORS))
    assert [len(block.lines) + len(block.requests) for block in blocks] == [2, 1, 0]


@pytest.mark.parametrize("row", [SealedRow(0, "another"), SealedRow(9, "beyond")])
def test_a_file_that_has_changed_is_told(tmp_path: Path, row: SealedRow) -> None:
    path, _ = file_in(tmp_path)
    with pytest.raises(StorageUnavailable, match="has changed since it was looked at"):
        list(blocks_of(part_of(path, row), OPERATORS))
