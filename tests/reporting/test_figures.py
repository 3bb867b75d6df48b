"""The report's figures on rows that stand on edges: counted once, in the right span, of enough people."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.rates.cells import MERGED
from pipelines.rates.facts import gather_facts
from pipelines.rates.tables import opened
from pipelines.reporting.figures import _EDGES_MS, _KEY_EXPIRY, _PRIVACY, _errors, _freshness, _latency, _rows
from schemas.registry import load
from transforms.core.output.layout import Output

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
DAY = NOON.date()


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(Output("/nonexistent")) as connection:
        yield connection


def holds(connection: duckdb.DuckDBPyConnection, name: str, rows: list[dict[str, Any]]) -> None:
    schema = pa.schema([pa.field(f.name, f.type) for f in load(name).arrow]).append(
        pa.field("received_date", pa.date32())
    )
    connection.register(name, pa.Table.from_pylist(rows, schema))


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.none() | st.sampled_from(_EDGES_MS) | st.floats(-10, 1e7),
            st.integers(0, 2),
            st.sampled_from([None, "network", "async", "async", "cache", "cycling", "typingAsSuggested"]),
        ),
        max_size=30,
    )
)
def test_each_shown_suggestion_that_waited_is_in_the_one_span_of_its_latency(
    connection: duckdb.DuckDBPyConnection, drawn: list[tuple[float | None, int, str | None]]
) -> None:
    holds(connection, "suggestions", [
        {"latency_ms": ms, "display_count": n, "display_source": source, "kind": "ghost_text", "received_date": DAY}
        for ms, n, source in drawn
    ])  # fmt: skip
    gather_facts(connection)
    rows = [(ms, n) for ms, n, source in drawn if source in ("network", "async")]
    found = _latency(connection)
    assert [f["from_ms"] for f in found] == list(_EDGES_MS)
    assert [f["to_ms"] for f in found] == [*_EDGES_MS[1:], None]
    for span in found:
        inside = [
            ms for ms, n in rows if n and ms is not None and span["from_ms"] <= ms < (span["to_ms"] or float("inf"))
        ]
        assert span["shown"] == len(inside), span


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from("xyz"), st.sampled_from([None, "T1", "T2"]), st.none() | st.sampled_from("abcd")),
        max_size=25,
    ),
    st.integers(1, 4),
)
def test_kinds_of_errors_that_few_met_stand_together_and_none_is_lost(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[str, str | None, str | None]], enough: int
) -> None:
    holds(
        connection,
        "errors",
        [{"event_name": n, "error_type": t, "installation_id": i, "received_date": DAY} for n, t, i in rows],
    )
    found = _errors(connection, enough)
    kinds = {(n, t or "") for n, t, _ in rows}
    people = {kind: {i for n, t, i in rows if (n, t or "") == kind and i is not None} for kind in kinds}
    expected = {k: sum((n, t or "") == k for n, t, _ in rows) for k in kinds if len(people[k]) >= enough}
    merged = len(rows) - sum(expected.values())
    if merged:
        expected[MERGED, ""] = merged
    assert {(f["name"], f["type"]): f["events"] for f in found} == expected
    told = [f for f in found if f["name"] != MERGED]
    assert found[: len(told)] == told, "what is merged stands last"
    assert [f["events"] for f in told] == sorted((f["events"] for f in told), reverse=True)


def test_expiry_of_tokens_at_nothing_one_and_the_edge(connection: duckdb.DuckDBPyConnection) -> None:
    holds(connection, "errors", [])
    assert _rows(connection, _KEY_EXPIRY) == [
        {"keys": 0, "expired": 0, "renewed_early": 0, "life_p50_min": None, "shortest_min": None, "refused": 0}
    ]
    row = {"event_name": "auth.new_token", "received_date": DAY, "received_at": NOON}
    at = [NOON, NOON - timedelta(microseconds=1), NOON + timedelta(minutes=25)]
    holds(connection, "errors", [
        *({**row, "expires_at": moment, "adjusted_expires_at": moment - timedelta(minutes=n)} for n, moment in enumerate(at)),
        {**row, "event_name": "auth.unknown_401"}, {**row, "event_name": "auth.invalid_token"},
    ])  # fmt: skip
    (found,) = _rows(connection, _KEY_EXPIRY)
    assert (found["keys"], found["expired"], found["renewed_early"], found["refused"]) == (3, 1, 2, 2)
    assert found["life_p50_min"] == 0
    assert found["shortest_min"] == pytest.approx(-1 / 60e6)


def test_places_and_dates_of_databases(connection: duckdb.DuckDBPyConnection) -> None:
    for name in ("requests", "displays", "outcomes", "redactions", "errors"):
        holds(connection, name, [])
    assert _rows(connection, _PRIVACY)[0]["events"] == 0
    places = [("GB", "London"), ("GB", None), (None, None)]
    for name in ("requests", "errors"):
        rows = [
            {"country": c, "city": t, "geo_database_date": date(2023, 4, n + 1), "received_date": DAY}
            for n, (c, t) in enumerate(places)
        ]
        holds(connection, name, rows)
    (found,) = _rows(connection, _PRIVACY)
    assert (found["events"], found["without_country"], found["without_city"]) == (6, 2, 4)
    assert found["geo_database_dates"] == [date(2023, 4, n) for n in (1, 2, 3)]


def test_freshness_of_a_day_without_clocks_and_of_one_with(connection: duckdb.DuckDBPyConnection) -> None:
    for name in ("requests", "displays", "outcomes", "redactions", "errors", "suggestions"):
        holds(connection, name, [])
    assert _freshness(connection) == []
    holds(connection, "displays", [{"received_date": DAY, "received_at": NOON, "occurred_at": None}])
    (found,) = _freshness(connection)
    assert (found["events"], found["first_received_at"], found["last_received_at"]) == (1, NOON, NOON)
    assert (found["delay_p50_s"], found["last_closed_at"]) == (None, None)
    later = [
        {"received_date": DAY, "received_at": NOON + timedelta(seconds=n), "occurred_at": NOON} for n in range(101)
    ]
    holds(connection, "displays", later)
    holds(connection, "suggestions", [{"received_date": DAY, "closed_at": NOON + timedelta(hours=n)} for n in (1, 2)])
    (found,) = _freshness(connection)
    assert (found["events"], found["delay_p50_s"], found["delay_p95_s"]) == (101, 50.0, 95.0)
    assert found["last_closed_at"] == NOON + timedelta(hours=2)
