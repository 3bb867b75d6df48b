"""Cells of few people go together as the rule says, done by hand, and whoever the people are."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.rates.cells import MERGED, merge_cells, same
from pipelines.rates.facts import DIMENSIONS

DAYS = [date(2026, 3, 29), date(2026, 3, 30)]
KINDS = ("ghost_text", "(any)")
KEPT, COLUMNS = ("received_date", "kind"), ("received_date", "kind", *DIMENSIONS)
Row = dict[str, Any]
Key = tuple[Any, ...]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def published(connection: duckdb.DuckDBPyConnection, rows: list[Row], enough: int) -> dict[Key, tuple[int, int, int]]:
    """Cell as it is published -> its people, its rows, the dimensions it gave up; those of too few people as well."""
    texts = ("kind", *DIMENSIONS, "installation_id")
    schema = pa.schema([("received_date", pa.date32()), *((name, pa.string()) for name in texts)])
    connection.register("drawn", pa.Table.from_pylist(rows, schema))
    connection.execute("create or replace temp table facts as select * from drawn")
    merge_cells(connection, KEPT, DIMENSIONS, enough)
    listed = ", ".join(f"to_{name}" for name in COLUMNS)
    found = connection.sql(f"""
        select {listed}, count(distinct installation_id), count(*), any_value(merged_dimensions)
        from facts join cells on {same("facts", "cells", COLUMNS)} group by {listed}""").fetchall()
    return {tuple(row[:-3]): tuple(row[-3:]) for row in found}  # type: ignore[misc]


def key_of(row: Row) -> Key:
    return tuple(row[name] for name in COLUMNS)


@st.composite
def crowded(draw: Callable[[Any], Any]) -> list[Row]:
    """Cells of one to seven people, none in two: then it matters which of them takes in what is left."""
    rows: list[Row] = []
    for number, size in enumerate(draw(st.lists(st.integers(1, 7), min_size=2, max_size=9))):
        place = {"received_date": draw(st.sampled_from(DAYS)), "kind": draw(st.sampled_from(KINDS)),
                 "language": draw(st.sampled_from([None, "go", "rust"])), "extension_version": "1",
                 "engine": draw(st.sampled_from([None, "m"])), "country": draw(st.sampled_from([None, "GB", "NL"])),
        }  # fmt: skip
        rows += [{**place, "installation_id": f"{number}-{n}"} for n in range(size)]
    return rows


def merged_by_hand(rows: list[Row], enough: int) -> dict[Key, int]:
    """First the last dimension is given up where there are too few, then the one before; day and kind never are."""
    people: dict[Key, set[str]] = defaultdict(set)
    for row in rows:
        people[key_of(row)].add(row["installation_id"])
    target = {key: key for key in people}

    def sizes() -> dict[Key, int]:
        found: dict[Key, set[str]] = defaultdict(set)
        for key, cell in target.items():
            found[cell] |= people[key]
        return {cell: len(who) for cell, who in found.items()}

    for place in range(len(COLUMNS) - 1, len(KEPT) - 1, -1):
        small = {cell for cell, size in sizes().items() if size < enough}
        target = {k: (*t[:place], MERGED, *t[place + 1 :]) if t in small else t for k, t in target.items()}
    for head in {key[:2] for key in people}:
        rest = (*head, *(MERGED for _ in DIMENSIONS))
        while rest in sizes() and sizes()[rest] < enough:
            beside = [
                (size, [(v is None, v or "") for v in cell[2:]], cell)
                for cell, size in sizes().items()
                if cell[:2] == head and cell != rest
            ]
            if not beside:
                break
            smallest = min(beside)[2]
            target = {k: rest if t == smallest else t for k, t in target.items()}
    return sizes()


@settings(max_examples=50)
@given(crowded(), st.integers(2, 6))
def test_cells_go_together_as_the_rule_says_done_by_hand(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], enough: int
) -> None:
    found = published(connection, rows, enough)
    assert {cell: people for cell, (people, _, _) in found.items()} == merged_by_hand(rows, enough)


def anybody(draw: st.DrawFn) -> list[Row]:
    few = st.sampled_from([None, "a", "b", "c"])
    row = st.fixed_dictionaries({
        "installation_id": st.one_of(st.none(), st.integers(0, 12).map(str)),
        "received_date": st.sampled_from(DAYS), "kind": st.sampled_from(KINDS), **dict.fromkeys(DIMENSIONS, few),
    })  # fmt: skip
    return draw(st.lists(row, min_size=1, max_size=60))


@settings(max_examples=60)
@given(rows=st.composite(anybody)(), enough=st.integers(1, 8))
def test_merging_keeps_its_promise_for_any_people(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], enough: int
) -> None:
    """Every cell has enough people or its kind's whole day has not; every row is in one cell; order changes nothing."""
    found = published(connection, rows, enough)
    assert published(connection, rows[::-1], enough) == found
    seen: dict[Key, set[str | None]] = defaultdict(set)
    for row in rows:
        seen[key_of(row)[:2]].add(row["installation_id"])
    for cell, (people, _, given_up) in found.items():
        assert people >= enough or len(seen[cell[:2]] - {None}) < enough
        assert [value == MERGED for value in cell[2:]] == [
            n >= len(DIMENSIONS) - given_up for n in range(len(DIMENSIONS))
        ]
    counted: Counter[Key] = Counter()
    for cell, (_, number, _) in found.items():
        counted[cell[:2]] += number
    assert counted == Counter(key_of(row)[:2] for row in rows)
