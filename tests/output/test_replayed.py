"""The records of replays: read back, put together, and payloads taken out of them."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import StorageRefused
from transforms.core.output.layout import Output
from transforms.core.output.replayed import (
    Replayed,
    forget_gone,
    read_replayed,
    replayed_ids,
    replayed_on,
    replayed_reasons,
    was_replayed,
)

DAY, OTHER = date(2026, 2, 27), date(2026, 3, 1)


def replayed(name: str, days: dict[date, list[str]], **reasons: int) -> Replayed:
    return Replayed(name, f"sum-{name}", datetime(2026, 3, 2, tzinfo=UTC), "contract", days, reasons)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    assert list(read_replayed(output)) == []
    assert replayed_ids(output) == frozenset()
    first = replayed("aa", {DAY: ["1", "2"], OTHER: ["3"]}, outside_key_ring=3)
    first.save(output)
    replayed("bb", {DAY: ["4"]}, outside_key_ring=1, unprocessable=1).save(output)
    assert next(read_replayed(output)) == first
    assert replayed_ids(output) == {"1", "2", "3", "4"}
    assert replayed_on(output, [DAY]) == 3
    assert was_replayed(output, "sum-bb")
    assert not was_replayed(output, "bb")
    assert replayed_reasons(output) == {"outside_key_ring": 4, "unprocessable": 1}


def test_what_is_gone_from_quarantine_is_forgotten(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    assert forget_gone(output) == []
    replayed("aa", {DAY: ["1"], OTHER: ["2", "3"]}).save(output)
    replayed("bb", {DAY: ["4"]}).save(output)
    folder = tmp_path / "quarantine" / f"received_date={OTHER}"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"payload_id": ["2", "4"]}), folder / "aa-0000of0001.parquet")
    assert forget_gone(output) == ["_replayed/aa.json"]
    assert replayed_ids(output) == {"2", "4"}
    assert next(read_replayed(output)).payload_ids == {OTHER: ["2"]}
    assert forget_gone(output) == []


@pytest.mark.parametrize("data", ["", "{}", "[1]", '{"version": 9}'])
def test_a_damaged_record_is_told(tmp_path: Path, data: str) -> None:
    (tmp_path / "_replayed").mkdir()
    (tmp_path / "_replayed" / "aa.json").write_text(data)
    with pytest.raises(StorageRefused, match="is damaged"):
        list(read_replayed(Output(str(tmp_path))))


def test_a_record_of_a_later_version_is_refused(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    found = replayed("aa", {})
    found.version = 2
    found.save(output)
    with pytest.raises(StorageRefused, match="is of version 2"):
        list(read_replayed(output))
