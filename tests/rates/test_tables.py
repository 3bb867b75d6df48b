"""An output's datasets as tables: those of the days asked for, empty ones with their columns, no other file."""

import shutil
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from pipelines import metrics
from pipelines.rates.tables import TABLES, existing_days, has_landed, opened
from schemas.errors import InvalidOptions, StorageUnavailable
from schemas.registry import load
from tests.conftest import read_rows, run_batch, sample, write_lines
from transforms.core.output.layout import Output


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    documents = []
    for day in (28, 30):
        document = sample()
        document["collector"]["received_at"] = f"2026-03-{day}T10:00:00Z"
        document["data"]["baseData"]["properties"]["unique_id"] = f"id-{day}"
        documents.append(document)
    run_batch(write_lines(folder / "raw.ndjson", documents), folder / "out", "--close_open_suggestions")
    return folder / "out"


def test_days_are_those_of_the_ledger(output: Path, tmp_path: Path) -> None:
    assert existing_days(Output(str(output))) == [date(2026, 3, 28), date(2026, 3, 30)]
    assert has_landed(Output(str(output)))
    with pytest.raises(InvalidOptions, match="no ledger there"):
        existing_days(Output(str(tmp_path)))
    assert not has_landed(Output(str(tmp_path)))


def test_an_output_that_was_begun_and_holds_nothing_has_no_days(tmp_path: Path) -> None:
    (tmp_path / "_output.json").write_text("{}")
    assert existing_days(Output(str(tmp_path))) == []


@pytest.mark.parametrize(("days", "rows"), [(None, 2), ([date(2026, 3, 28)], 1), ([date(2026, 3, 29)], 0), ([], 0)])
def test_only_the_days_asked_for(output: Path, days: list[date] | None, rows: int) -> None:
    with opened(Output(str(output)), days) as connection:
        found = connection.sql("select received_date, event_id from displays").fetchall()
    assert len(found) == rows
    assert {row[0] for row in found} <= {*(days or [date(2026, 3, 28), date(2026, 3, 30)])}


def test_columns_that_are_younger_than_every_file_are_null(output: Path, tmp_path: Path) -> None:
    """An output of before there were kinds: rates of it are still asked for."""
    older = shutil.copytree(output, tmp_path / "older")
    for file in older.glob("suggestions/*/*.parquet"):
        rows = pq.ParquetFile(file).read()
        pq.write_table(rows.drop_columns(["kind", "provider", "slot_code", "survival_0s"]), file)
    with opened(Output(str(older))) as connection:
        assert connection.sql("select distinct kind, slot_code, survival_0s from suggestions").fetchall() == [
            (None, None, None)
        ]
        assert connection.sql("select received_date from suggestions order by 1").fetchall()[0] == (date(2026, 3, 28),)
    metrics.main([f"--datasets={older}", "--min_installations=1", "--privacy_epsilon=none"])
    assert {row["kind"] for row in read_rows(older, "acceptance")} == {"ghost_text", "(any)"}


def test_every_table_has_its_columns_also_where_nothing_landed(tmp_path: Path) -> None:
    with opened(Output(str(tmp_path))) as connection:
        for name in TABLES:
            assert connection.sql(f"select * from {name}").columns == [*load(name).arrow.names, "received_date"]
            assert connection.sql(f"select count(*) from {name}").fetchall() == [(0,)]
        assert "snippets" not in TABLES
        with pytest.raises(duckdb.CatalogException):
            connection.sql("select * from snippets")


@pytest.mark.parametrize("damage", ["cut", "no footer", "empty", "noise inside", "gone"])
def test_a_damaged_file_is_one_line(output: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(output, tmp_path / "out")
    (path,) = (tmp_path / "out" / "displays" / "received_date=2026-03-28").glob("*.parquet")
    whole = path.read_bytes()
    noise = whole[:4] + bytes(b ^ 0x5A for b in whole[4 : len(whole) // 3]) + whole[len(whole) // 3 :]
    cut = {
        "cut": whole[: len(whole) // 2],
        "no footer": whole[:-30],
        "empty": b"",
        "noise inside": noise,
        "gone": whole,
    }
    with pytest.raises(StorageUnavailable) as found, opened(Output(str(tmp_path / "out"))) as connection:
        path.write_bytes(cut[damage])
        if damage == "gone":
            path.unlink()
        connection.sql("select * from displays").fetchall()
    assert str(found.value).startswith(f"cannot read {tmp_path}/out: ")
    assert "\n" not in str(found.value)


def test_what_is_spilled_goes_with_the_connection(output: Path) -> None:
    with opened(Output(str(output))) as connection:
        (place,) = connection.sql("select current_setting('temp_directory')").fetchall()[0]
        assert Path(place).is_dir()
    assert not Path(place).exists()
