"""Ledger rows go last, those of an input together, and a stream keeps its latest day."""

from datetime import date
from pathlib import Path

from pipelines.retention.books import expired_books
from transforms.core.output.layout import Output

BATCH, STREAM = "fedcba9876543210", "0123456789abcdef"
THROUGH = {"errors": date(2030, 1, 1), "displays": date(2029, 12, 1)}


def ledger(folder: Path, day: str, source: str) -> str:
    path = f"ledger/received_date={day}/{source}-0000of0001.parquet"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(b"x")
    return path


def books(folder: Path, as_of: date, through: dict[str, date] | None = None) -> list[str]:
    return list(expired_books(Output(str(folder)).listing(), through or THROUGH, as_of))


def test_an_input_goes_with_its_list_when_its_last_day_is_old(tmp_path: Path) -> None:
    first, last = (ledger(tmp_path, day, BATCH) for day in ("2019-12-30", "2019-12-31"))
    (tmp_path / "_inputs" / BATCH).mkdir(parents=True)
    (tmp_path / "_inputs" / f"{BATCH}.json").write_text("{}")
    for day in ("2019-12-30", "2019-12-31"):
        (tmp_path / "_inputs" / BATCH / day).touch()
    assert books(tmp_path, date(2029, 12, 28)) == []  # 2019-12-31 and 3,650 days are 2029-12-28
    assert books(tmp_path, date(2029, 12, 29)) == [
        f"_inputs/{BATCH}.json", f"_inputs/{BATCH}/2019-12-30", f"_inputs/{BATCH}/2019-12-31", first, last,
    ]  # fmt: skip


def test_they_wait_for_every_dataset(tmp_path: Path) -> None:
    row = ledger(tmp_path, "2010-01-01", BATCH)
    assert books(tmp_path, date(2029, 12, 29), {**THROUGH, "displays": date(2009, 12, 31)}) == []
    assert books(tmp_path, date(2029, 12, 29)) == [row]


def test_the_latest_day_of_a_stream_stays(tmp_path: Path) -> None:
    first = ledger(tmp_path, "2010-01-01", f"{STREAM}.20100101T100000Z")
    ledger(tmp_path, "2010-01-02", f"{STREAM}.20100102T100000Z")
    assert books(tmp_path, date(2029, 12, 29)) == [first]
