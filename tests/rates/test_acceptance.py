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

from pipelines.rates.acceptance import rates
from pipelines.rates.facts import DIMENSIONS, gather_facts
from pipelines.rates.kinds import ANY, KINDS
from pipelines.rates.tables import TABLES, opened
from schemas.registry import load
from transforms.core.output.layout import Output

DAYS = [date(2026, 3, 28) + timedelta(days=n) for n in range(4)]
CHECKS_S = (15, 30, 120, 300, 600)
SURVIVAL_S = (0, 5, 30, 60, 120, 300, 600, 900)
STATES = ("unchanged", "mostly_unchanged", "changed", "removed", "unobserved", "not_applicable", "not_due")
GHOST, NEXT, INLINE, AGENT = KINDS
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
        dataset = draw(st.sampled_from(["requests", "displays", "outcomes", "errors", "redactions", "suggestions"]))
        if dataset in ("requests", "displays", "outcomes"):
            row |= {
                "opportunity_id": draw(st.sampled_from([None, "o1", "o2"])),
                "request_id": draw(st.sampled_from([None, "r1", "r2"])),
            }
        if dataset == "displays":
            row["kind"] = draw(st.sampled_from([None, GHOST, NEXT]))
        if dataset == "outcomes":
            row["kind"] = draw(st.sampled_from([None, *KINDS]))
        if dataset == "requests":
            row |= {
                "event_name": draw(st.sampled_from(["request.sent", "request.error", "ghostText.issued"])),
                "status_code": draw(st.sampled_from([None, 200, 400, 502])),
                "request_ui": draw(st.sampled_from([None, "ghostText", "conversationPanel", "none", "other"])),
            }
        if dataset == "errors":
            row["event_name"] = draw(st.sampled_from(["auth.new_login", "auth.new_token", "ghostText.failed"]))
        if dataset == "suggestions":
            row |= suggestion(draw)
        rows[dataset].append(row)
    return rows


def suggestion(draw: Callable[[Any], Any]) -> Row:
    chars, ms = st.none() | st.integers(0, 10**12), st.none() | st.floats(0, 1e5)
    ratio = st.none() | st.sampled_from([0.0, 0.1, 1 / 3, 1.0, 1e300])
    row = {
        "kind": draw(st.sampled_from([None, *KINDS])), "display_count": draw(st.integers(0, 3)),
        "outcome": draw(st.sampled_from(["accepted", "partially_accepted", "rejected", "dismissed", "none"])),
        "accepted_chars": draw(chars), "original_chars": draw(chars), "latency_ms": draw(ms), "decision_ms": draw(ms),
        "time_until_shown_ms": draw(ms), "is_typed_over": draw(st.sampled_from([None, False, True])),
        "is_from_cache": draw(st.sampled_from([None, False, True])),
        "display_source": draw(st.sampled_from([None, "network", "async", "cache", "cycling", "typingAsSuggested"])),
        **{f"persistence_{s}s": draw(st.sampled_from(STATES)) for s in CHECKS_S},
    }  # fmt: skip
    drawn = draw(st.sampled_from(SURVIVAL_S))  # a time at which anything may be, beside times that repeat it
    told = {"survival": draw(st.sampled_from(["observed", "unobserved", "not_applicable", None])),
            "four_gram": draw(ratio), "no_revert": draw(ratio), "retained": draw(chars)}  # fmt: skip
    for check_s in SURVIVAL_S:
        of_time = told if check_s == drawn else {**told, "four_gram": 0.25, "no_revert": None}
        row |= {f"survival_{check_s}s": of_time["survival"], f"retained_{check_s}s_chars": of_time["retained"]}
        row |= {f"{name}_{check_s}s_ratio": of_time[name] for name in ("four_gram", "no_revert")}
    return row


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


def cell_key(row: Row, kind: str | None = None) -> tuple[Any, ...]:
    return (row["received_date"], kind or row["kind"], *(row[d] for d in DIMENSIONS))


def first_of_each_key(rows: list[Row], *names: str) -> list[tuple[Row, list[Row]]]:
    """A key's first event on a day, and all of that day; none where the day before had it, too. Of one installation."""
    by_key: dict[tuple[Any, date], list[Row]] = defaultdict(list)
    for row in rows:
        if key := next((row[name] for name in names if row[name] is not None), None):
            by_key[(row["installation_id"], key), row["received_date"]].append(row)
    last = datetime.max.replace(tzinfo=UTC)
    return [
        (min(found, key=lambda r: (r["received_at"], r["occurred_at"] or last, r["event_id"])), found)
        for (name, day), found in by_key.items()
        if (name, day - timedelta(days=1)) not in by_key
    ]


def is_of_ghost_text(request: Row) -> bool:
    return request["event_name"].startswith("ghostText.") or request["request_ui"] in (None, "ghostText")


def by_hand(rows: dict[str, list[Row]]) -> dict[tuple[Any, ...], Cell]:
    cells: dict[tuple[Any, ...], Cell] = defaultdict(Cell)

    def count(row: Row, kind: str, name: str) -> Cell:
        cell = cells[cell_key(row, kind)]
        cell.people.add(row["installation_id"])
        cell.counts[name] += 1
        return cell

    told = [*rows["displays"], *rows["outcomes"]]
    of_kind = {
        GHOST: [r for r in rows["requests"] if is_of_ghost_text(r)] + [r for r in told if r["kind"] in (None, GHOST)],
        NEXT: [r for r in told if r["kind"] == NEXT],
        ANY: rows["requests"] + told,
    }
    for kind, traces in of_kind.items():
        for row in traces:
            moment = row["occurred_at"] or row["received_at"]
            count(row, kind, "traces").hours.add((row["installation_id"], int(moment.timestamp()) // 3600))
        if kind != ANY:
            for first, _ in first_of_each_key(traces, "opportunity_id", "request_id"):
                count(first, kind, "opportunities")
    for first, found in first_of_each_key(rows["requests"], "request_id"):
        count(first, ANY, "requests")
        if any(r["event_name"] == "request.error" or (r["status_code"] or 0) >= 400 for r in found):
            count(first, ANY, "failed_requests")
    for row in rows["errors"]:
        if row["event_name"] == "ghostText.failed":
            count(row, ANY, "errors")
    for row in rows["redactions"]:
        count(row, ANY, "redactions")
    for row in rows["suggestions"]:
        count(row, ANY, "suggestions")
        count(row, row["kind"] or GHOST, "suggestions").suggestions.append(row)
    return cells


def over(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def trouble(cell: Cell) -> Row:
    found: Row = {n: cell.counts[n] for n in ("requests", "failed_requests", "errors", "redactions")}
    return found | {
        "active_hours": len(cell.hours),
        "errors_per_1000_requests": over(1000 * found["errors"], found["requests"]),
        "redactions_per_1000_requests": over(1000 * found["redactions"], found["requests"]),
    }


def outcomes(kind: str, shown: list[Row], counted: list[Row]) -> Row:
    names = {"accepted": "accepted_full", "partially_accepted": "accepted_partial", "none": "no_outcome"}
    found = {names.get(o, o): sum(s["outcome"] == o for s in counted)
             for o in ("accepted", "partially_accepted", "rejected", "dismissed", "none")}  # fmt: skip
    found["accepted"] = found["accepted_full"] + found["accepted_partial"]
    found["decided"] = len(counted) - found["no_outcome"]
    rate = over(found["accepted"], len(shown) if kind in (GHOST, NEXT) else found["decided"])
    gone = {GHOST: (), NEXT: ("accepted_partial", "dismissed"), INLINE: ("accepted_partial", "dismissed"),
            AGENT: ("dismissed",)}[kind]  # fmt: skip
    return {**{n: v for n, v in found.items() if n not in gone}, "acceptance_rate": rate}


def at_the_cursor(kind: str, cell: Cell, shown: list[Row], accepted: list[Row]) -> Row:
    typed_over = [s for s in shown if s["outcome"] == "none" and s["is_typed_over"]]
    words = ("rejected", "dismissed") if kind == GHOST else ("rejected",)
    hidden = len(typed_over) + sum(s["outcome"] in words for s in shown)
    ignored = sum(s["outcome"] == "none" for s in shown) - len(typed_over)
    chars = [s["accepted_chars"] if s["accepted_chars"] is not None else s["original_chars"] for s in accepted]
    total = sum(n or 0 for n in chars)
    waited = [s for s in shown if (s["display_source"] in ("network", "async") if kind == GHOST
                                   else s["is_from_cache"] is False)]  # fmt: skip
    return {
        "opportunities": cell.counts["opportunities"], "displays": sum(s["display_count"] for s in cell.suggestions),
        "shown": len(shown), "suggestions_without_display": len(cell.suggestions) - len(shown),
        "typed_over": len(typed_over), "hidden": hidden, "ignored": ignored,
        "shown_rate": over(len(shown), cell.counts["opportunities"]),
        "hide_rate": over(hidden, len(shown)), "ignore_rate": over(ignored, len(shown)),
        "accepted_chars": total, "accepted_chars_unknown": chars.count(None), "active_hours": len(cell.hours),
        "accepted_chars_per_opportunity": over(total, cell.counts["opportunities"]),
        "accepted_chars_per_active_hour": over(total, len(cell.hours)),
        **times("latency", [s["latency_ms"] for s in waited]),
        **times("time_until_shown", [s["time_until_shown_ms"] for s in shown]),
    }  # fmt: skip


def times(name: str, values: list[float | None]) -> Row:
    known = [v for v in values if v is not None]
    shares = {f"{name}_p{p}_ms": float(np.percentile(known, p)) if known else None for p in (50, 95)}
    return {f"{name}_known": len(known), **shares}


def by_distance(accepted: list[Row]) -> Row:
    found: Row = {}
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
    return found


def by_ratio(followed: list[Row]) -> Row:
    found: Row = {}
    for check_s in SURVIVAL_S:
        due = [s for s in followed if s[f"survival_{check_s}s"] in ("observed", "unobserved")]
        for name in ("four_gram", "no_revert"):
            told = [s[f"{name}_{check_s}s_ratio"] for s in followed]
            known = [v for v in told if v is not None and v <= 1]
            missing = [v for s in due if (v := s[f"{name}_{check_s}s_ratio"]) is None or v > 1]
            found |= {
                f"{name}_observed_{check_s}s": len(known), f"{name}_unobserved_{check_s}s": len(missing),
                f"{name}_kept_{check_s}s": float(sum(known)), f"{name}_{check_s}s_ratio": over(sum(known), len(known)),
            }  # fmt: skip
    return found


def by_chars(followed: list[Row]) -> Row:
    found: Row = {}
    for check_s in SURVIVAL_S:
        due = [s for s in followed if s[f"survival_{check_s}s"] in ("observed", "unobserved")]

        def is_known(s: Row, name: str = f"retained_{check_s}s_chars") -> bool:
            return s[name] is not None and (s["original_chars"] or 0) > 0

        known = [s for s in followed if is_known(s)]
        part, whole = (sum(s[name] for s in known) for name in (f"retained_{check_s}s_chars", "original_chars"))
        found |= {
            f"retained_observed_{check_s}s": len(known),
            f"retained_unobserved_{check_s}s": sum(not is_known(s) for s in due),
            f"retained_{check_s}s_chars": part, f"retained_{check_s}s_of_chars": whole,
            f"retained_{check_s}s_ratio": over(part, whole),
        }  # fmt: skip
    return found


def figures(kind: str, cell: Cell) -> Row:
    """What a row of the kind tells; all other columns of it are null."""
    people = {"installations": len(cell.people)}
    if kind == ANY:
        return people | trouble(cell)
    shown = [s for s in cell.suggestions if s["display_count"] > 0]
    counted = shown if kind in (GHOST, NEXT) else cell.suggestions
    accepted = [s for s in counted if s["outcome"] in ("accepted", "partially_accepted")]
    found = people | outcomes(kind, shown, counted)
    if kind in (GHOST, NEXT):
        found |= at_the_cursor(kind, cell, shown, accepted) | by_chars(accepted)
    if kind == GHOST:
        return found | by_distance(accepted) | times("decision", [s["decision_ms"] for s in shown])
    return found | by_ratio(cell.suggestions if kind == AGENT else accepted)


@settings(max_examples=20)
@given(landed())
def test_every_figure_of_every_cell_is_what_counting_by_hand_gives(
    connection: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]]
) -> None:
    found, expected = by_sql(connection, rows, 1), by_hand(rows)
    assert {cell_key(row) for row in found} == {*expected}
    for row in found:
        assert row["merged_dimensions"] == 0
        by_name = figures(row["kind"], expected[cell_key(row)])
        assert {*by_name} < {*row}
        for name in {*row} - {"received_date", "kind", *DIMENSIONS, "merged_dimensions"}:
            value = by_name.get(name)
            assert row[name] == (pytest.approx(value) if isinstance(value, float) else value), (row["kind"], name)


@given(landed())
@settings(max_examples=5)
def test_without_dimensions_a_kinds_day_is_one_cell_and_is_left_out_where_it_is_too_small(
    connection: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]]
) -> None:
    people: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for key, cell in by_hand(rows).items():
        people[key[:2]] |= cell.people
    for enough in (1, 3):
        found = {(r["received_date"], r["kind"]): r["installations"] for r in by_sql(connection, rows, enough, ())}
        assert found == {place: len(who) for place, who in people.items() if len(who) >= enough}


@given(landed())
@settings(max_examples=5)
def test_outcomes_of_what_was_shown_add_up_and_nobody_is_missing_among_all(
    connection: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]]
) -> None:
    found = by_sql(connection, rows, 1, ())
    everyone = {r["received_date"]: r["installations"] for r in found if r["kind"] == ANY}
    for row in found:
        assert row["installations"] <= everyone[row["received_date"]]
        if row["kind"] in (GHOST, NEXT):
            words = ("accepted_full", "accepted_partial", "rejected", "dismissed", "no_outcome")
            drawn_by_hand = row["kind"] == NEXT  # no client tells these two of a next edit
            assert sum(row[w] or 0 for w in words) == row["shown"] or drawn_by_hand
            assert row["accepted"] + row["hidden"] + row["ignored"] == row["shown"] or drawn_by_hand
            if row["shown"] and not drawn_by_hand:
                assert row["acceptance_rate"] + row["hide_rate"] + row["ignore_rate"] == pytest.approx(1)


def test_nothing_landed_is_no_cell_and_no_error(connection: duckdb.DuckDBPyConnection) -> None:
    assert by_sql(connection, {}, 1) == []
