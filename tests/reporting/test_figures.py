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
from pipelines.rates.tables import opened
from pipelines.reporting.figures import _PRIVACY, _counted, _errors, _freshness, _key_expiry, _rows
from pipelines.reporting.rest import rest_of
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
    apart = kinds - rest_of(people, enough)
    assert all(len(people[kind]) >= enough for kind in apart)
    expected = {k: sum((n, t or "") == k for n, t, _ in rows) for k in apart}
    merged = len(rows) - sum(expected.values())
    if merged:
        expected[MERGED, ""] = merged
    assert {(f["name"], f["type"]): f["events"] for f in found} == expected
    told = [f for f in found if f["name"] != MERGED]
    assert found[: len(told)] == told, "what is merged stands last"
    assert [f["events"] for f in told] == sorted((f["events"] for f in told), reverse=True)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("abcd")), max_size=25), st.integers(1, 4))
def test_redactions_of_few_people_stand_together(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[str, str]], enough: int
) -> None:
    holds(connection, "redactions", [{"category": n, "installation_id": i, "received_date": DAY} for n, i in rows])
    found = {r["name"]: r["events"] for r in _counted(connection, "category", "redactions", enough)}
    people = {name: {i for n, i in rows if n == name} for name, _ in rows}
    for name in people.keys() - rest_of(people, enough):
        assert found.pop(name) == sum(n == name for n, _ in rows)
        assert len(people[name]) >= enough
    assert {*found} <= {MERGED}
    found = {r["name"]: r["events"] for r in _counted(connection, "category", "redactions", enough)}
    assert sum(found.values()) == len(rows)


def test_expiry_of_tokens_at_nothing_one_and_the_edge(connection: duckdb.DuckDBPyConnection) -> None:
    holds(connection, "errors", [])
    nothing = {"keys": 0, "expired": 0, "renewed_early": 0, "life_p50_min": None, "refused": 0, "installations": 0}
    assert _key_expiry(connection, 10) == nothing
    row = {"event_name": "auth.new_token", "received_date": DAY, "received_at": NOON}
    at = [NOON, NOON - timedelta(microseconds=1), NOON + timedelta(minutes=25)]
    holds(connection, "errors", [
        *({**row, "expires_at": moment, "adjusted_expires_at": moment - timedelta(minutes=n), "installation_id": str(n)}
          for n, moment in enumerate(at)),
        {**row, "event_name": "auth.unknown_401"}, {**row, "event_name": "auth.invalid_token"},
    ])  # fmt: skip
    found = _key_expiry(connection, 3)
    assert found is not None
    assert (found["keys"], found["expired"], found["renewed_early"], found["refused"]) == (3, 1, 2, 2)
    assert found["life_p50_min"] == 0
    assert _key_expiry(connection, 4) is None, "three people's keys"


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
    assert _freshness(connection, 1) == []
    row = {"received_date": DAY, "received_at": NOON, "occurred_at": None, "installation_id": "a"}
    holds(connection, "displays", [row])
    assert _freshness(connection, 2) == [{**dict.fromkeys(_freshness(connection, 1)[0]), "received_date": DAY}]
    (found,) = _freshness(connection, 1)
    assert (found["events"], found["first_received_at"], found["last_received_at"]) == (1, NOON, NOON)
    assert (found["delay_p50_s"], found["last_closed_at"]) == (None, None)
    later = [{**row, "received_at": NOON + timedelta(seconds=n), "occurred_at": NOON} for n in range(101)]
    holds(connection, "displays", later)
    holds(connection, "suggestions", [{"received_date": DAY, "closed_at": NOON + timedelta(hours=n)} for n in (1, 2)])
    (found,) = _freshness(connection, 1)
    assert (found["events"], found["delay_p50_s"], found["delay_p95_s"]) == (101, 50.0, 95.0)
    assert found["last_closed_at"] == NOON + timedelta(hours=2)
