"""Whatever way rows are cut into files, what is put together is all of them, sorted, in the bytes of one publishing."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.compaction import merging
from pipelines.compaction.merging import merge, sorter
from schemas.errors import StorageUnavailable
from schemas.registry import SUGGESTIONS, load
from transforms.core.carried import SLOT
from transforms.core.output.layout import Output
from transforms.core.output.order import sort_keys
from transforms.core.output.parquet import parquet_bytes

BEGIN = datetime(2026, 3, 29, tzinfo=UTC)
WORDS = ("", "a", "A", "ä", "\U0001f600", "zz", "0" * 32, "a\x00b")
FLOATS = (0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan"), 5e-324)


def value(field: pa.Field, number: int, rng: random.Random) -> object:
    """A value for a column; whatever names the row holds its number, so that no two rows tie."""
    kind = field.type
    if field.name in ("event_id", "payload_id", "suggestion_id"):
        return f"{number:032x}"
    if field.name == SLOT:
        return number % 16
    if field.nullable and rng.random() < 0.3:
        return None
    if pa.types.is_map(kind):
        values = FLOATS if kind.item_type == pa.float64() else WORDS
        return [(key, rng.choice((None, *values))) for key in rng.sample(["b", "a", ""], rng.randrange(3))]
    of_kind = {
        "double": rng.choice(FLOATS), "bool": rng.random() < 0.5, "date32[day]": BEGIN.date(),
        "string": rng.choice(WORDS), "binary": rng.choice(WORDS).encode(),
        "timestamp[us, tz=UTC]": BEGIN + timedelta(microseconds=rng.randrange(5)),
    }  # fmt: skip
    return of_kind.get(str(kind), rng.choice((0, -1, 2**31 - 1, -(2**31))))


def rows_of(dataset: str, count: int, seed: int) -> pa.Table:
    schema, rng = load(dataset).arrow, random.Random(seed)
    rows = [{f.name: value(f, number, rng) for f in schema} for number in range(count)]
    return pa.Table.from_pylist(rows, schema=schema)


def ordered(dataset: str, table: pa.Table) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in sort_keys(dataset)])


def cut(dataset: str, table: pa.Table, places: list[int], folder: Path) -> list[str]:
    """The rows in files, each sorted; `places` say for each row in which."""
    paths = []
    for place in sorted(set(places)):
        part = table.filter(pa.array([where == place for where in places]))
        path = folder / f"{place:016x}-0000of0001.parquet"
        path.write_bytes(parquet_bytes(dataset, ordered(dataset, part), None))
        paths.append(str(path))
    return paths


@settings(max_examples=8)
@pytest.mark.parametrize("dataset", ["displays", "extension_events", "quarantine", SUGGESTIONS])
@given(
    seed=st.integers(0, 2**32), places=st.lists(st.integers(0, 3), min_size=1, max_size=20),
    first=st.floats(0, 1),
)  # fmt: skip
def test_any_cut_gives_all_rows_sorted(
    dataset: str, tmp_path_factory: pytest.TempPathFactory, seed: int, places: list[int], first: float
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    table = rows_of(dataset, len(places), seed)
    paths, wanted = cut(dataset, table, places, folder), ordered(dataset, table)
    ends = [int(first * table.num_rows), table.num_rows]
    into = {str(folder / f"{begin}"): end - begin for begin, end in zip([0, ends[0]], ends, strict=True) if end > begin}
    with sorter(Output(str(folder)), str(folder)) as connection:
        merge(connection, dataset, paths, into)
    for path, rows in into.items():
        part = wanted.slice(int(Path(path).name), rows)
        assert Path(path).read_bytes() == parquet_bytes(dataset, part.combine_chunks(), None)


def many_rows(count: int) -> pa.Table:
    schema = load("displays").arrow
    numbers = np.random.default_rng(1).permutation(count)
    empty = pa.table({f.name: pa.nulls(count, f.type) for f in schema})
    known = {
        "installation_id": pa.array([f"{n % 997:032x}" for n in numbers]),
        "event_id": pa.array([f"{n:032x}" for n in numbers]),
        "received_at": pa.array(numbers, pa.int64()).cast(schema.field("received_at").type),
        SLOT: pa.array(numbers % 16, pa.int32()),
        "event_name": pa.array(["ghostText.shown"] * count), "key_id": pa.array(["2026-03"] * count),
        "schema_version": pa.array([1] * count, schema.field("schema_version").type),
        "redaction_count": pa.array([0] * count, schema.field("redaction_count").type),
    }  # fmt: skip
    for name, column in known.items():
        empty = empty.set_column(schema.names.index(name), name, column)
    return empty.cast(schema)


def test_several_row_groups_and_pages_are_as_publishing_makes_them(tmp_path: Path) -> None:
    table = many_rows(300_000)
    paths, wanted = cut("displays", table, [n % 5 for n in range(table.num_rows)], tmp_path), ordered("displays", table)
    into = {str(tmp_path / "first"): 280_000, str(tmp_path / "second"): 20_000}
    with sorter(Output(str(tmp_path)), str(tmp_path)) as connection:
        merge(connection, "displays", paths, into)
    for name, begin in (("first", 0), ("second", 280_000)):
        part = wanted.slice(begin, into[str(tmp_path / name)]).combine_chunks()
        assert (tmp_path / name).read_bytes() == parquet_bytes("displays", part, None)
    assert pq.ParquetFile(tmp_path / "first").num_row_groups == 3


def test_columns_that_came_later_are_null(tmp_path: Path) -> None:
    table = ordered("displays", many_rows(40))
    last = table.column_names[-1]
    pq.write_table(table.slice(0, 20).drop_columns([last]), tmp_path / "old.parquet")
    pq.write_table(table.slice(20), tmp_path / "new.parquet")
    made = tmp_path / "made"
    for files in (["old.parquet", "new.parquet"], ["old.parquet"]):
        rows = 20 * len(files)
        with sorter(Output(str(tmp_path)), str(tmp_path)) as connection:
            merge(connection, "displays", [str(tmp_path / name) for name in files], {str(made): rows})
        found = pq.ParquetFile(made).read()
        assert found.schema.names == load("displays").arrow.names
        assert found.drop_columns([last]).to_pylist() == table.slice(0, rows).drop_columns([last]).to_pylist()
        assert pq.read_schema(made).metadata == load("displays").arrow.metadata


@pytest.mark.parametrize("told", [39, 40, 41])
def test_what_was_written_is_read_back_and_compared(tmp_path: Path, told: int, monkeypatch: pytest.MonkeyPatch) -> None:
    table = many_rows(40)
    paths = cut("displays", table, [0] * 40, tmp_path)
    if told == 40:
        real = merging._as_written
        column = load("displays").arrow.field(SLOT)
        monkeypatch.setattr(
            merging, "_as_written", lambda rows, schema: real(rows, schema).set_column(
                schema.names.index(SLOT), column, pa.array([3] * 40, pa.int32())
            )
        )  # fmt: skip
    with (
        sorter(Output(str(tmp_path)), str(tmp_path)) as connection,
        pytest.raises(
            StorageUnavailable,
            match="hold what was there before" if told == 40 else f"hold 40 rows, not {told} as planned",
        ),
    ):
        merge(connection, "displays", paths, {str(tmp_path / "made"): told})
