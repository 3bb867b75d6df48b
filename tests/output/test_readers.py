"""Analysts' readers open every file as it is."""

import json
import os
import shutil
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipelines import generate
from schemas.errors import StorageUnavailable
from schemas.registry import EVENT_DATASETS, load
from tests.conftest import plain_columns, run_batch
from transforms.core.output.layout import Output
from transforms.core.output.order import sort_keys

DATASETS = (*EVENT_DATASETS, "suggestions", "quarantine", "ledger")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readers")
    generate.main([f"--output={folder}/day", "--events=2500", "--seed=5", "--date=2026-03-31"])
    run_batch(folder / "day" / "raw", folder / "out")
    return folder / "out"


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_reader_finds_the_same_rows_and_columns(output: Path, dataset: str) -> None:
    files = sorted(output.glob(f"{dataset}/*/*.parquet"))
    assert files
    columns = plain_columns(files[0])
    rows = sum(pq.read_metadata(f).num_rows for f in files)
    pattern = f"{output}/{dataset}/*/*.parquet"
    listed = ", ".join(columns)
    assert (
        len(
            duckdb.sql(
                f"select {listed}, received_date from read_parquet('{pattern}', hive_partitioning=true)"
            ).fetchall()
        )
        == rows
    )
    assert pl.scan_parquet(pattern, hive_partitioning=True).select(columns).collect().height == rows
    assert len(pd.read_parquet(output / dataset, columns=columns)) == rows
    assert ds.dataset(output / dataset, partitioning="hive").to_table(columns=columns).num_rows == rows
    assert sum(pq.ParquetFile(f).read(columns=columns).num_rows for f in files) == rows


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_footer_names_the_contract_that_explains_its_columns(output: Path, dataset: str) -> None:
    schema = pq.read_schema(next(output.glob(f"{dataset}/*/*.parquet")))
    assert schema.names == [f.name for f in load(dataset).fields]
    assert schema.types == [f.type for f in load(dataset).fields]
    assert schema.metadata[b"dataset"] == dataset.encode()
    told = json.loads((output / "_schemas" / f"{schema.metadata[b'contract'].decode()}.json").read_text())
    columns = told["datasets"][dataset]["columns"]
    assert [c["name"] for c in columns] == schema.names
    assert all(c["doc"] and c["classification"] and c["treatment"] for c in columns)


def test_no_reader_sees_a_file_that_a_killed_writer_left_half_written(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (day,) = {p.parent.name for p in output.glob("requests/*/*.parquet")} & {"received_date=2026-03-31"}
    folder = shutil.copytree(output / "requests" / day, tmp_path / "requests" / day)
    pattern = f"{tmp_path}/requests/*/*.parquet"
    rows = duckdb.sql(f"select count(*) from '{pattern}'").fetchall()
    with monkeypatch.context() as patch, pytest.raises(StorageUnavailable):
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("killed here")))
        patch.setattr(os, "remove", lambda *_: None)  # who is killed does not tidy up
        Output(str(tmp_path)).write(f"{folder}/new-0000.parquet", next(folder.glob("*.parquet")).read_bytes())
    assert len(list(tmp_path.glob("_writing/.writing-*"))) == 1
    assert duckdb.sql(f"select count(*) from '{pattern}'").fetchall() == rows
    assert [(pl.scan_parquet(pattern).select(pl.len()).collect().item(),)] == rows
    assert [(len(pd.read_parquet(tmp_path / "requests", columns=["event_id"])),)] == rows
    assert [(pl.read_parquet(tmp_path / "requests", columns=["event_id"]).height,)] == rows  # it takes whole folders


def test_received_date_is_a_column_in_every_reader_without_options(output: Path) -> None:
    day, folder = date(2026, 3, 31), output / "requests"
    (rows,) = duckdb.sql(f"select count(*) from '{folder}/*/*.parquet' where received_date = date '{day}'").fetchall()
    assert rows > (0,)
    polars = (
        pl.scan_parquet(folder).filter(pl.col("received_date") == day).select("received_date", "event_id").collect()
    )
    assert (polars.schema["received_date"], (polars.height,)) == (pl.Date, rows)
    pandas = pd.read_parquet(folder, columns=["event_id", "received_date"], filters=[("received_date", "==", str(day))])
    assert ({*pandas["received_date"]}, (len(pandas),)) == ({str(day)}, rows)
    arrow = ds.dataset(folder, partitioning="hive").to_table(filter=ds.field("received_date") == str(day))
    assert (arrow.num_rows,) == rows


@pytest.mark.parametrize("dataset", DATASETS)
def test_files_declare_the_order_that_their_rows_have(output: Path, dataset: str) -> None:
    for path in output.glob(f"{dataset}/*/*.parquet"):
        metadata = pq.read_metadata(path)
        names = [metadata.schema.column(i).path for i in range(metadata.num_columns)]
        for group in range(metadata.num_row_groups):
            declared = metadata.row_group(group).sorting_columns
            assert [names[c.column_index] for c in declared] == sort_keys(dataset)
            assert not any(c.descending or c.nulls_first for c in declared)
        table = pq.ParquetFile(path).read(columns=sort_keys(dataset) or ["input"])
        assert table.equals(table.sort_by([(name, "ascending") for name in table.column_names]))


def test_partition_is_the_day_of_received_at(output: Path) -> None:
    query = f"select count(*) from read_parquet('{output}/requests/*/*.parquet', hive_partitioning=true)"
    assert duckdb.sql(f"{query} where received_date <> cast(received_at as date)").fetchall() == [(0,)]
    assert duckdb.sql(f"{query} where received_date = '2026-03-31'").fetchall() > [(0,)]


def test_rows_are_sorted_by_installation_session_and_time(output: Path) -> None:
    for path in output.glob("requests/*/*.parquet"):
        rows = pq.ParquetFile(path).read(columns=["installation_id", "session_id", "occurred_at"]).to_pylist()
        keys = [(r["installation_id"], r["session_id"], r["occurred_at"]) for r in rows]
        assert keys == sorted(keys)
