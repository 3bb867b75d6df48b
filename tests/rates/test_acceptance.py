"""The SQL of rates against the same counts made slowly, one fact at a time, on drawn facts."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.rates.acceptance import DIMENSIONS, MERGED, gather_facts, rates
from pipelines.rates.tables import TABLES, opened
from schemas.registry import load
from transforms.core.output.layout import Output

DAYS = [date(2026, 3, 28) + timedelta(days=n) for n in range(4)]
CHECKS_S = (15, 30, 120, 300, 600)
STATES = ("unchanged", "mostly_unchanged", "changed", "removed", "unobserved", "not_applicable", "not_due")
Row = dict[str, Any]


def who_and_where(draw: Callable[[Any], Any], number: int) -> Row:
    day = draw(st.sampled_from(DAYS))
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return {
        "received_date": day, "received_at": noon + timedelta(minutes=draw(st.integers(0, 3))),
        "occurred_at": draw(st.none() | st.integers(0, 200).map(lambda m: noon - timedelta(minutes=m))),
        "event_id": f"e{number:04d}", "installation_id": draw(st.sampled_from("abcdef")),
        "language": draw(st.sampled_from([None, "go", "rust"])), "country": draw(st.sampled_from([None, "GB", "NL"])),
        "engine": draw(st.sampled_from([None, "m"])), "extension_version": "1",
    }  # fmt: skip


@st.composite
def landed(draw: Callable[[Any], Any]) -> dict[str, list[Row]]:
    """Rows of the datasets that rates are made of; few keys, so that they meet."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for number in range(draw(st.integers(0, 25))):
        row = who_and_where(draw, number)
        kind = draw(st.sampled_from(["requests", "displays", "outcomes", "errors", "redactions", "suggestions"]))
        if kind in ("requests", "displays", "outcomes"):
            row |= {
                "opportunity_id": draw(st.sampled_from([None, "o1", "o2"])),
                "request_id": draw(st.sampled_from([None, "r1", "r2"])),
            }
        if kind == "requests":
            row |= {
                "event_name": draw(st.sampled_from(["request.sent", "request.error"])),
                "status_code": draw(st.sampled_from([None, 200, 400, 502])),
            }
        if kind == "errors":
            row["event_name"] = draw(st.sampled_from(["auth.new_login", "auth.new_token", "ghostText.failed"]))
        if kind == "suggestions":
            row |= {
                "display_count": draw(st.integers(0, 3)), "accepted_chars": draw(st.none() | st.integers(0, 10**12)),
                "outcome": draw(st.sampled_from(["accepted", "partially_accepted", "rejected", "dismissed", "none"])),
                "latency_ms": draw(st.none() | st.floats(0, 1e5)), "decision_ms": draw(st.none() | st.floats(0, 1e5)),
                **{f"persistence_{s}s": draw(st.sampled_from(STATES)) for s in CHECKS_S},
            }  # fmt: skip
        rows[kind].append(row)
    return rows


SCHEMAS = {name: load(name).arrow for name in TABLES}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(Output("/nonexistent")) as connection:
        yield connection


def by_sql(connection: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]], enough: int,
           dimensions: tuple[str, ...] = DIMENSIONS) -> list[Row]:  # fmt: skip
    for name, arrow in SCHEMAS.items():
        schema = pa.schema([pa.field(f.name, f.type) for f in arrow]).append(pa.field("received_date", pa.date32()))
        connection.register(name, pa.Table.from_pylist(rows.get(name, []), schema))
    gather_facts(connection)
    return rates(connection, ("received_date",), dimensions, enough).to_pylist()


class Cell:
    def __init__(self) -> None:
        self.people: set[str] = set()
        self.hours: set[tuple[str, int]] = set()
        self.counts: dict[str, int] = defaultdict(int)
        self.suggestions: list[Row] = []


def cell_key(row: Row) -> tuple[Any, ...]:
    return (row["received_date"], *(row[d] for d in DIMENSIONS))


def first_of_each_key(rows: list[Row], key: Callable[[Row], Any]) -> list[tuple[Row, list[Row]]]:
    """A key's first event on a day, and all of that day; none where the day before had it, too."""
    by_key: dict[tuple[Any, date], list[Row]] = defaultdict(list)
    for row in rows:
        if key(row) is not None:
            by_key[key(row), row["received_date"]].append(row)
    last = datetime.max.replace(tzinfo=UTC)
    return [
        (min(found, key=lambda r: (r["received_at"], r["occurred_at"] or last, r["event_id"])), found)
        for (name, day), found in by_key.items()
        if (name, day - timedelta(days=1)) not in by_key
    ]


def by_hand(rows: dict[str, list[Row]]) -> dict[tuple[Any, ...], Cell]:
    cells: dict[tuple[Any, ...], Cell] = defaultdict(Cell)

    def count(row: Row, name: str) -> None:
        cells[cell_key(row)].people.add(row["installation_id"])
        cells[cell_key(row)].counts[name] += 1

    traces = rows["requests"] + rows["displays"] + rows["outcomes"]
    for first, _ in first_of_each_key(traces, lambda r: r["opportunity_id"] or r["request_id"]):
        count(first, "opportunities")
    for first, found in first_of_each_key(rows["requests"], lambda r: r["request_id"]):
        count(first, "requests")
        if any(r["event_name"] == "request.error" or (r["status_code"] or 0) >= 400 for r in found):
            count(first, "failed_requests")
    for row in traces:
        count(row, "traces")
        moment = row["occurred_at"] or row["received_at"]
        cells[cell_key(row)].hours.add((row["installation_id"], int(moment.timestamp()) // 3600))
    for row in rows["errors"]:
        if row["event_name"] == "ghostText.failed":
            count(row, "errors")
    for row in rows["redactions"]:
        count(row, "redactions")
    for row in rows["suggestions"]:
        count(row, "suggestions")
        cells[cell_key(row)].suggestions.append(row)
    return cells


def over(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def figures(cell: Cell) -> Row:
    shown = [s for s in cell.suggestions if s["display_count"] > 0]
    accepted = [s for s in shown if s["outcome"] in ("accepted", "partially_accepted")]
    chars = sum(s["accepted_chars"] or 0 for s in accepted)
    found: Row = {
        **{n: cell.counts[n] for n in ("opportunities", "requests", "failed_requests", "errors", "redactions")},
        "installations": len(cell.people), "active_hours": len(cell.hours), "shown": len(shown),
        "displays": sum(s["display_count"] for s in cell.suggestions),
        "suggestions_without_display": len(cell.suggestions) - len(shown), "accepted_chars": chars,
        "accepted_chars_per_active_hour": over(chars, len(cell.hours)),
        "shown_rate": over(len(shown), cell.counts["opportunities"]), "accepted": len(accepted),
        "acceptance_rate": over(len(accepted), len(shown)),
        "errors_per_1000_requests": over(1000 * cell.counts["errors"], cell.counts["requests"]),
        "redactions_per_1000_requests": over(1000 * cell.counts["redactions"], cell.counts["requests"]),
    }  # fmt: skip
    names = {"accepted": "accepted_full", "partially_accepted": "accepted_partial", "none": "no_outcome"}
    for outcome in ("accepted", "partially_accepted", "rejected", "dismissed", "none"):
        found[names.get(outcome, outcome)] = sum(s["outcome"] == outcome for s in shown)
    for check_s in CHECKS_S:
        states = [s[f"persistence_{check_s}s"] for s in accepted]
        observed, unchanged = sum(s in STATES[:4] for s in states), states.count("unchanged")
        found |= {
            f"observed_{check_s}s": observed, f"unobserved_{check_s}s": states.count("unobserved"),
            f"unchanged_{check_s}s": unchanged,
            f"mostly_unchanged_{check_s}s": unchanged + states.count("mostly_unchanged"),
            f"unchanged_{check_s}s_rate": over(unchanged, observed),
            f"mostly_unchanged_{check_s}s_rate": over(unchanged + states.count("mostly_unchanged"), observed),
        }  # fmt: skip
    for name in ("latency", "decision"):
        known = [s[f"{name}_ms"] for s in shown if s[f"{name}_ms"] is not None]
        for share in (50, 95):
            found[f"{name}_p{share}_ms"] = float(np.percentile(known, share)) if known else None
    return found


@settings(max_examples=30)
@given(landed())
def test_every_figure_of_every_cell_is_what_counting_by_hand_gives(
    connection: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]]
) -> None:
    found, expected = by_sql(connection, rows, 1), by_hand(rows)
    assert {cell_key(row) for row in found} == {*expected}
    for row in found:
        by_name = figures(expected[cell_key(row)])
        assert {*row} == {*by_name, "received_date", *DIMENSIONS, "merged_dimensions"}
        assert row["merged_dimensions"] == 0
        for name, value in by_name.items():
            assert row[name] == (pytest.approx(value) if isinstance(value, float) else value), name


@st.composite
def redacted(draw: Callable[[Any], Any]) -> dict[str, list[Row]]:
    """Cells of one to seven people, none in two: then it matters which of them takes in what is left."""
    rows = []
    for size in draw(st.lists(st.integers(1, 7), min_size=2, max_size=7)):
        row = who_and_where(draw, 0) | {"received_date": draw(st.sampled_from(DAYS[:2]))}
        rows += [{**row, "installation_id": f"{len(rows)}-{number}"} for number in range(size)]
    return {"redactions": rows, **{name: [] for name in ("requests", "displays", "outcomes", "errors", "suggestions")}}


def merged_by_hand(people: dict[tuple[Any, ...], set[str]], enough: int) -> dict[tuple[Any, ...], set[str]]:
    """The cells that are published: first the last dimension is given up where there are too few, then the one before."""
    target = {key: key for key in people}

    def sizes() -> dict[tuple[Any, ...], set[str]]:
        found: dict[tuple[Any, ...], set[str]] = defaultdict(set)
        for key, published in target.items():
            found[published] |= people[key]
        return found

    for place in range(len(DIMENSIONS), 0, -1):
        small = {published for published, who in sizes().items() if len(who) < enough}
        target = {k: (*t[:place], MERGED, *t[place + 1 :]) if t in small else t for k, t in target.items()}
    for day in DAYS:
        rest = (day, *(MERGED for _ in DIMENSIONS))
        while rest in sizes() and len(sizes()[rest]) < enough:
            beside = [
                (len(who), [(v is None, v or "") for v in t[1:]], t)
                for t, who in sizes().items()
                if t[0] == day and t != rest
            ]
            if not beside:
                break
            smallest = min(beside)[2]
            target = {k: rest if t == smallest else t for k, t in target.items()}
    return {published: who for published, who in sizes().items() if len(who) >= enough}


@settings(max_examples=50)
@given(redacted(), st.integers(2, 6))
def test_cells_go_together_as_the_rule_says_done_by_hand(
    connection: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]], enough: int
) -> None:
    expected = merged_by_hand({key: cell.people for key, cell in by_hand(rows).items()}, enough)
    found = by_sql(connection, rows, enough)
    assert {cell_key(row): row["installations"] for row in found} == {key: len(who) for key, who in expected.items()}


@given(landed())
@settings(max_examples=8)
def test_without_dimensions_a_day_is_one_cell_and_is_left_out_where_it_is_too_small(
    connection: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]]
) -> None:
    people: dict[date, set[str]] = defaultdict(set)
    for key, cell in by_hand(rows).items():
        people[key[0]] |= cell.people
    for enough in (1, 3):
        found = {row["received_date"]: row["installations"] for row in by_sql(connection, rows, enough, ())}
        assert found == {day: len(who) for day, who in people.items() if len(who) >= enough}


def test_nothing_landed_is_no_cell_and_no_error(connection: duckdb.DuckDBPyConnection) -> None:
    assert by_sql(connection, {}, 1) == []
