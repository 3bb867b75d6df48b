"""A plan looks only; its checksum is another one whenever something else would be deleted."""

from datetime import date
from pathlib import Path

from pipelines.retention.plan import described, plan_of, through_of
from transforms.core.output.expired import Expired
from transforms.core.output.layout import Output

AS_OF = date(2026, 5, 1)


def put(folder: Path, dataset: str, day: str, name: str = "a-0000of0001.parquet", content: bytes = b"x") -> Path:
    path = folder / dataset / f"received_date={day}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_each_dataset_by_its_own_days_and_never_back() -> None:
    through = through_of(Expired(through={"quarantine": date(2026, 6, 1)}), AS_OF)
    assert through["quarantine"] == date(2026, 6, 1)
    assert (through["snippets"], through["errors"]) == (date(2026, 1, 30), date(2025, 11, 1))


def test_another_size_file_or_day_is_another_checksum(tmp_path: Path) -> None:
    output, seen = Output(str(tmp_path)), set()
    steps = [
        lambda: None,
        lambda: put(tmp_path, "quarantine", "2026-03-01"),
        lambda: put(tmp_path, "quarantine", "2026-03-01", content=b"xy"),
        lambda: put(tmp_path, "quarantine", "2026-03-02"),
        lambda: put(tmp_path, "snippets", "2026-01-01"),
    ]
    for step in steps:
        step()
        seen.add(plan_of(output, Expired(), AS_OF).checksum)
    assert len(seen) == len(steps)
    put(tmp_path, "quarantine", "2026-04-01")  # young
    assert plan_of(output, Expired(), AS_OF).checksum in seen
    assert plan_of(output, Expired(), date(2026, 4, 30)).checksum not in seen


def test_a_ledger_row_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    put(tmp_path, "quarantine", "2026-03-01")
    put(tmp_path, "ledger", "2026-03-01", content=b"PAR1 no Parquet PAR1")
    plan = plan_of(Output(str(tmp_path)), Expired(), AS_OF)
    assert [line.strip() for line in described(plan.datasets)] == [
        "quarantine (kept 30 days): 2026-03-01 to 2026-03-01, 1 files, 0 rows, 1 bytes"
    ]


def test_files_of_others_are_told_and_stay(tmp_path: Path) -> None:
    put(tmp_path, "acceptance", "2020-01-01", "acceptance.parquet")
    put(tmp_path, "acceptance", "2020-01-01", "mine.csv")
    plan = plan_of(Output(str(tmp_path)), Expired(), AS_OF)
    assert [file.name for file in plan.files] == ["acceptance.parquet"]
    assert plan.strange == ["acceptance/received_date=2020-01-01/mine.csv"]
