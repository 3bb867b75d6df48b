"""The law on which all rests: whatever one installation sends, it changes what is drawn by no more than is said."""

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.rates.facts import DIMENSIONS, gather_facts
from pipelines.rates.kinds import KINDS
from pipelines.rates.tables import opened
from pipelines.releasing.bounded import Count, counts_in_units, gather_bounded
from pipelines.releasing.bounds import CELLS_BUDGET, COUNTS_UNITS, STREAMS
from pipelines.releasing.homes import Values, assign_cells, gather_homes
from pipelines.releasing.release import asked
from tests.rates.test_acceptance import DAYS, SCHEMAS, Row, landed
from transforms.core.output.layout import Output

DAY = DAYS[1]
KEPT = ("language", "engine", "country", "extension_version")


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(Output("/nonexistent")) as connection:
        yield connection


@st.composite
def crowded(draw: Callable[[Any], Any]) -> dict[str, list[Row]]:
    """Rows that stand for many: the bounds are reached."""
    made = draw(landed())
    for name, rows in made.items():
        key = "suggestion_id" if name == "suggestions" else "event_id"
        times = draw(st.lists(st.sampled_from([1, 7, 200]), min_size=len(rows), max_size=len(rows)))
        made[name] = [
            {**row, key: f"{row['event_id']}-{n}", "received_date": DAY}
            | {c: f"{row[c]}-{n % 9}" for c in ("opportunity_id", "request_id") if row.get(c)}
            for row, count in zip(rows, times, strict=True)
            for n in range(count)
        ]
    return made


def units(
    connection: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]], chosen: set[Values]
) -> tuple[dict[Count, int], dict[Values, int]]:
    """What would be drawn of the day, and how many people are at home where."""
    for name, arrow in SCHEMAS.items():
        schema = pa.schema([pa.field(f.name, f.type) for f in arrow]).append(pa.field("received_date", pa.date32()))
        connection.register(name, pa.Table.from_pylist(rows.get(name, []), schema))
    gather_facts(connection)
    gather_homes(connection, DAY)
    assign_cells(connection, KEPT, chosen)
    gather_bounded(connection)
    homes = connection.sql(f"select {', '.join(KEPT)} from homes").fetchall()
    return counts_in_units(connection), {place: homes.count(place) for place in homes}


CHOSEN: list[set[Values]] = [{()}, {(), ("go",), (None,)}, {(), ("go",), ("go", "m"), ("rust",), ("go", "m", None)}]


@settings(max_examples=25)
@given(crowded(), st.sampled_from(CHOSEN), st.sampled_from("abcdef"))
def test_one_installation_changes_all_counts_together_by_no_more_than_the_budget(
    connection: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]], chosen: set[Values], somebody: str
) -> None:
    others = {name: [r for r in told if r["installation_id"] != somebody] for name, told in rows.items()}
    (with_it, homes), (without, homes_without) = units(connection, rows, chosen), units(connection, others, chosen)
    changed = {c: with_it.get(c, 0) - without.get(c, 0) for c in {*with_it, *without}}
    assert sum(map(abs, changed.values())) <= COUNTS_UNITS
    for stream in STREAMS:
        for measure in stream.measures:
            names = {part.name for part in measure.parts}
            of_measure = sum(abs(value) for count, value in changed.items() if count.part in names)
            assert of_measure <= stream.points * (stream.weight(measure) + 2), measure.name
    gone = {place: homes[place] - homes_without.get(place, 0) for place in homes}
    assert sum(gone.values()) <= 1
    assert min(gone.values(), default=0) >= 0
    assert {*with_it} <= {*asked([(*cell,) for cell in {count.cell for count in with_it}])}


def test_the_budgets_of_a_day_are_one_epsilon() -> None:
    budgets = [measure.budget for stream in STREAMS for measure in stream.measures]
    assert sum(budgets) + CELLS_BUDGET == pytest.approx(1)
    spent = sum(stream.points * (stream.weight(m) + 2) for stream in STREAMS for m in stream.measures)
    assert 0.999 * COUNTS_UNITS < spent <= COUNTS_UNITS


def test_who_sends_too_much_keeps_its_rates(connection: duckdb.DuckDBPyConnection) -> None:
    """Thinned together: 600 shown of 1200 chances, a third accepted, become 60, 120 and about 20."""
    place = {"received_date": DAY, "installation_id": "a", **dict.fromkeys(DIMENSIONS, "x"), "kind": KINDS[0]}
    lives = [
        {**place, "suggestion_id": f"s{n}", "display_count": 1, "outcome": "accepted" if n % 3 == 0 else "rejected"}
        for n in range(600)
    ]
    chances = [{**place, "event_id": f"d{n}", "opportunity_id": f"o{n}"} for n in range(1200)]
    found, _ = units(connection, {"suggestions": lives, "displays": chances}, {()})
    counts = {count.part: value for count, value in found.items() if count.kind == KINDS[0]}
    suggestions, opportunities = STREAMS[1], STREAMS[3]
    shown = {
        name: counts[name] / suggestions.unit(suggestions.measures[0], KINDS[0])
        for name in ("accepted_full", "rejected")
    }
    assert counts["opportunities"] / opportunities.unit(opportunities.measures[0], KINDS[0]) <= 120
    assert sum(shown.values()) <= 60
    ratio = sum(shown.values()) * opportunities.unit(opportunities.measures[0], KINDS[0]) / counts["opportunities"]
    assert ratio == pytest.approx(0.5, rel=0.02)
    assert shown["accepted_full"] / sum(shown.values()) == pytest.approx(1 / 3, abs=0.15)
