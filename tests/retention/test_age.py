"""Ages in whole days of UTC; a day that tells none goes by when its file was written."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines.retention.age import are_past, last_expired_day, latest_days, odd_and_past
from transforms.core.output.layout import DataFile, Output, parse_name

AS_OF = date(2026, 5, 1)


def put(output: Output, day: str, name: str, written: datetime) -> None:
    path = Path(output.path, "quarantine", f"received_date={day}", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (written.timestamp(), written.timestamp()))


@pytest.mark.parametrize(
    ("kept_days", "last"), [(30, date(2026, 3, 31)), (0, date(2026, 4, 30)), (365, date(2025, 4, 30))]
)
def test_every_row_of_the_last_expired_day_is_so_old(kept_days: int, last: date) -> None:
    assert last_expired_day(AS_OF, kept_days) == last


def test_of_a_day_that_tells_no_age_an_input_goes_whole_or_not(tmp_path: Path) -> None:
    output, old, new = (
        Output(str(tmp_path)),
        datetime(2026, 3, 31, 23, 59, tzinfo=UTC),
        datetime(2026, 4, 1, tzinfo=UTC),
    )
    for day in ("1970-01-01", "2070-01-01"):
        put(output, day, "a-0000of0002.parquet", old)
        put(output, day, "a-0001of0002.parquet", old)
        put(output, day, "b-0000of0002.parquet", old)
        put(output, day, "b-0001of0002.parquet", new)
    put(output, "2026-03-01", "a-0000of0002.parquet", old)
    found = odd_and_past(output.listing(), "quarantine", date(2026, 3, 31), AS_OF)
    assert [(f.day.year, f.name.input) for f in found] == [(1970, "a"), (1970, "a"), (2070, "a"), (2070, "a")]


def file(day: date, name: str) -> DataFile:
    parsed = parse_name(name)
    assert parsed is not None
    return DataFile("ledger", day, parsed, "/nonexistent")


def test_one_young_day_keeps_all_and_nothing_is_asked_of_the_storage() -> None:
    old, young, unknown = (file(d, "a-0000of0001.parquet") for d in (date(2026, 1, 1), AS_OF, date(1970, 1, 1)))
    assert are_past([old], date(2026, 3, 31), AS_OF)
    assert not are_past([old, unknown, young], date(2026, 3, 31), AS_OF)


def test_only_streams_have_a_latest_day() -> None:
    files = [
        file(date(2026, 1, 1), "0123456789abcdef.20260101T100000Z-0000of0001.parquet"),
        file(date(2026, 1, 2), "0123456789abcdef.20260102T100000Z-0000of0001.parquet"),
        file(date(2026, 1, 3), "fedcba9876543210-0000of0001.parquet"),
    ]
    assert latest_days(files) == {"0123456789abcdef": date(2026, 1, 2)}
