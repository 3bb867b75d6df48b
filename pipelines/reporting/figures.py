"""The figures of the report's page, asked of an output's datasets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from pipelines.rates.acceptance import rates
from pipelines.rates.arms import Arms, compare
from pipelines.rates.assignments import Assignment
from pipelines.rates.cells import MERGED
from pipelines.rates.facts import DIMENSIONS, gather_facts
from pipelines.rates.kinds import ANY, AT_THE_CURSOR, GHOST_TEXT, KINDS
from pipelines.rates.tables import opened
from schemas.registry import load
from transforms.core.keys.role_encryption import columns_by_role
from transforms.core.output.books import Books
from transforms.core.output.layout import Output
from transforms.core.output.ledger import imbalances, read_marks, total

Rows = list[dict[str, Any]]

_TABLED_BY = ("language", "extension_version", "country")
_EVENTS = " union all by name ".join(
    f"select received_date, received_at, occurred_at, key_id, country, city, geo_database_date from {name}"
    for name in ("requests", "displays", "outcomes", "redactions", "errors")
)


@dataclass(frozen=True)
class Figures:
    """What the page shows. Lists are rows of a table, in the order in which they are shown.

    `overall` is what is counted over all kinds, None where too few installations were seen; `kinds` has the figures of
    each kind that enough installations met.
    """

    days: list[date]
    books: Books
    problems: list[str]
    overall: dict[str, Any] | None
    kinds: dict[str, dict[str, Any]]
    by_dimension: dict[str, Rows]
    over_time: dict[str, Rows]
    latency: Rows
    errors: Rows
    key_expiry: dict[str, Any]
    redactions: Rows
    freshness: Rows
    key_ids: Rows
    privacy: dict[str, Any]
    readers: dict[str, list[str]]
    min_installations: int
    arms: Arms | None


def gather_figures(
    output: Output, days: Sequence[date], min_installations: int, assignment: Assignment | None = None
) -> Figures:
    """All figures of these days; `arms` is None where no assignment is given."""
    marks = [mark for mark in read_marks(output) if mark.day in days]
    with opened(output, days) as connection:
        gather_facts(connection)
        by_kind = {row["kind"]: row for row in rates(connection, (), (), min_installations).to_pylist()}
        return Figures(
            days=sorted(days),
            books=total(marks),
            problems=list(imbalances(marks)),
            overall=by_kind.get(ANY),
            kinds={kind: by_kind[kind] for kind in KINDS if kind in by_kind},
            by_dimension={d: _by(connection, (), d, min_installations) for d in _TABLED_BY},
            over_time={d: _by(connection, ("received_date",), d, min_installations) for d in _TABLED_BY},
            latency=_latency(connection),
            errors=_errors(connection, min_installations),
            key_expiry=_rows(connection, _KEY_EXPIRY)[0],
            redactions=_rows(connection, _REDACTIONS),
            freshness=_freshness(connection),
            key_ids=_rows(connection, f"select key_id, count(*) as events from ({_EVENTS}) group by 1 order by 1"),
            privacy=_rows(connection, _PRIVACY)[0],
            readers=columns_by_role(load("snippets")),
            min_installations=min_installations,
            arms=compare(connection, assignment, min_installations) if assignment else None,
        )


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> Rows:
    return connection.sql(query).to_arrow_table().to_pylist()


def _by(connection: duckdb.DuckDBPyConnection, kept: Sequence[str], dimension: str, enough: int) -> Rows:
    """Cells in which something was shown at the cursor: kind by kind, the largest first, days in order.

    Errors and requests are of no kind: `errors_per_1000_requests` is that of the same value over all kinds.
    """
    assert dimension in DIMENSIONS
    found = rates(connection, kept, (dimension,), enough).to_pylist()
    errors = {_place(r, kept, dimension): r["errors_per_1000_requests"] for r in found if r["kind"] == ANY}
    rows = [r for r in found if r["shown"]]
    rows.sort(key=lambda r: (r.get("received_date", date.min), AT_THE_CURSOR.index(r["kind"]), -r["shown"],
                             r[dimension] or ""))  # fmt: skip
    return [
        {**r, "value": "unknown" if r[dimension] is None else r[dimension],
         "errors_per_1000_requests": None if r[dimension] == MERGED else errors.get(_place(r, kept, dimension))}
        for r in rows
    ]  # fmt: skip


def _place(row: dict[str, Any], kept: Sequence[str], dimension: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in (*kept, dimension))


_EDGES_MS = (0, 50, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 3000, 5000)


def _latency(connection: duckdb.DuckDBPyConnection) -> Rows:
    """Ghost text whose first display waited for an answer, by latency: from each edge to the next."""
    reached = f"len(list_filter({list(_EDGES_MS)}, lambda edge: edge <= request_latency_ms)) - 1"
    count = dict(connection.sql(f"""
        select {reached}, count(*) from facts where kind = '{GHOST_TEXT}' and is_shown and request_latency_ms >= 0
        group by 1
    """).fetchall())  # fmt: skip
    ends = (*_EDGES_MS[1:], None)
    return [{"from_ms": low, "to_ms": high, "shown": count.get(n, 0)} for n, (low, high) in
            enumerate(zip(_EDGES_MS, ends, strict=True))]  # fmt: skip


def _errors(connection: duckdb.DuckDBPyConnection, enough: int) -> Rows:
    """Events of `errors` by name and type; kinds that too few installations met stand together."""
    return _rows(connection, f"""
        with kinds as (
            select event_name, coalesce(error_type, '') as error_type, count(*) as number,
                   count(distinct installation_id) as installations from errors group by all)
        select if(installations < {enough}, '{MERGED}', event_name) as name,
               if(installations < {enough}, '', error_type) as type, sum(number)::bigint as events
        from kinds group by 1, 2 order by any_value(installations < {enough}), 3 desc, 1, 2
    """)  # fmt: skip


_KEY_EXPIRY = """
    select count(*) as keys, count(*) filter (expires_at < received_at) as expired,
           count(*) filter (adjusted_expires_at < expires_at) as renewed_early,
           quantile_cont(epoch_us(expires_at) - epoch_us(received_at), 0.5) / 60e6 as life_p50_min,
           min(epoch_us(expires_at) - epoch_us(received_at)) / 60e6 as shortest_min,
           (select count(*) from errors where event_name in ('auth.invalid_token', 'auth.unknown_401')) as refused
    from errors where expires_at is not null
"""
_REDACTIONS = "select category, count(*) as events from redactions group by 1 order by 2 desc, 1"
_PRIVACY = f"""
    select count(*) as events, count(*) filter (country is null) as without_country,
           count(*) filter (city is null) as without_city,
           list(distinct geo_database_date order by geo_database_date) as geo_database_dates
    from ({_EVENTS})
"""


def _freshness(connection: duckdb.DuckDBPyConnection) -> Rows:
    """Day by day: when events came, how long after they happened, and when the last suggestion closed."""
    return _rows(connection, f"""
        with closed as (select received_date, max(closed_at) as last_closed_at from suggestions group by 1)
        select received_date, count(*) as events, min(received_at) as first_received_at,
               max(received_at) as last_received_at, any_value(last_closed_at) as last_closed_at,
               quantile_cont(epoch_us(received_at) - epoch_us(occurred_at), 0.5) / 1e6 as delay_p50_s,
               quantile_cont(epoch_us(received_at) - epoch_us(occurred_at), 0.95) / 1e6 as delay_p95_s
        from ({_EVENTS}) left join closed using (received_date) group by 1 order by 1
    """)  # fmt: skip
