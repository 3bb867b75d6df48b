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
from pipelines.rates.kinds import ANY, AT_THE_CURSOR, KINDS
from pipelines.rates.tables import opened
from pipelines.reporting.few import without_few
from pipelines.reporting.latency import Bins, latencies, slow_rates
from pipelines.reporting.periods import PERIOD, Periods, add_periods, periods_of
from pipelines.reporting.rest import people_by, rest_of
from schemas.registry import load
from transforms.core.keys.role_encryption import columns_by_role
from transforms.core.output.books import Books
from transforms.core.output.layout import Output
from transforms.core.output.ledger import imbalances, read_marks, total
from transforms.core.output.replayed import replayed_on

Rows = list[dict[str, Any]]

_TABLED_BY = ("language", "extension_version", "country")
_EVENTS = " union all by name ".join(
    "select received_date, received_at, occurred_at, key_id, country, city, geo_database_date, installation_id "
    f"from {name}"
    for name in ("requests", "displays", "outcomes", "redactions", "errors")
)


@dataclass(frozen=True)
class Figures:
    """What the page shows. Lists are rows of a table, in the order in which they are shown.

    `overall` is what is counted over all kinds, None where too few installations were seen; `kinds` has the figures of
    each kind that enough installations met. `replayed` are payloads that left quarantine by a replay. `over_time` has a
    kind's rows by period, `strips` those of a dimension's values; periods of too few installations stand together under
    the word that cells have for it.
    """

    days: list[date]
    periods: Periods
    books: Books
    problems: list[str]
    replayed: int
    overall: dict[str, Any] | None
    kinds: dict[str, dict[str, Any]]
    by_dimension: dict[str, Rows]
    over_time: dict[str, Rows]
    strips: dict[str, Rows]
    latency: dict[str, Bins]
    errors: Rows
    key_expiry: dict[str, Any] | None
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
    periods, enough = periods_of(days), min_installations
    with opened(output, days) as connection:
        gather_facts(connection)
        add_periods(connection, periods)
        overall = without_few(connection, rates(connection, (), (), enough).to_pylist(), ("kind",), enough)
        by_kind = {row["kind"]: row for row in overall}
        latency = latencies(connection, enough)
        slow = {kind: rate for kind, rate in slow_rates(connection).items() if kind in latency}
        return Figures(
            days=sorted(days),
            periods=periods,
            books=total(marks),
            problems=list(imbalances(marks)),
            replayed=replayed_on(output, days),
            overall=by_kind.get(ANY),
            kinds={kind: {**by_kind[kind], "slow_rate": slow.get(kind)} for kind in KINDS if kind in by_kind},
            by_dimension={d: _by(connection, d, enough) for d in _TABLED_BY},
            over_time=_over_time(connection, enough),
            strips={d: _strips(connection, d, enough) for d in _TABLED_BY if periods.has_strips},
            latency=latency,
            errors=_errors(connection, enough),
            key_expiry=_key_expiry(connection, enough),
            redactions=_counted(connection, "category", "redactions", enough),
            freshness=_freshness(connection, enough),
            key_ids=_counted(connection, "key_id", f"({_EVENTS})", enough),
            privacy=_rows(connection, _PRIVACY)[0],
            readers=columns_by_role(load("snippets")),
            min_installations=enough,
            arms=compare(connection, assignment, enough) if assignment else None,
        )


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> Rows:
    return connection.sql(query).to_arrow_table().to_pylist()


def _by(connection: duckdb.DuckDBPyConnection, dimension: str, enough: int) -> Rows:
    """Cells in which something was shown at the cursor: kind by kind, the largest first.

    Errors and requests are of no kind: `errors_per_1000_requests` is that of the same value over all kinds, and None by
    language, which errors do not know.
    """
    assert dimension in DIMENSIONS
    made = rates(connection, (), (dimension,), enough).to_pylist()
    found = without_few(connection, made, ("kind", dimension), enough)
    told = [r for r in found if r["kind"] == ANY and dimension != "language"]
    errors = {r[dimension]: r["errors_per_1000_requests"] for r in told}
    rows = [r for r in found if r["shown"]]
    rows.sort(key=lambda r: (AT_THE_CURSOR.index(r["kind"]), -r["shown"], r[dimension] or ""))
    return [
        {**r, "value": _named(r[dimension]),
         "errors_per_1000_requests": None if r[dimension] == MERGED else errors.get(r[dimension])}
        for r in rows
    ]  # fmt: skip


def _named(value: str | None) -> str:
    return "unknown" if value is None else value


def _over_time(connection: duckdb.DuckDBPyConnection, enough: int) -> dict[str, Rows]:
    """Kind -> its periods in order, the merged one, if any, first; `volume` is what its acceptance is a share of."""
    found = rates(connection, (), (PERIOD,), enough).to_pylist()
    rows = [{**r, "volume": r["decided"] if r["shown"] is None else r["shown"]} for r in found]
    by_kind = {kind: [r for r in rows if r["kind"] == kind and r["volume"]] for kind in KINDS}
    return {kind: of_kind for kind, of_kind in by_kind.items() if of_kind}


def _strips(connection: duckdb.DuckDBPyConnection, dimension: str, enough: int) -> Rows:
    """Acceptance of each value by period. A value gives up its periods before itself."""
    found = rates(connection, (), (dimension, PERIOD), enough).to_pylist()
    return [{**r, "value": _named(r[dimension])} for r in found if r["shown"]]


def _errors(connection: duckdb.DuckDBPyConnection, enough: int) -> Rows:
    """Events of `errors` by name and type; kinds that too few installations met stand together, last."""
    rows = _counted_by(connection, ("event_name", "coalesce(error_type, '')"), "errors", enough)
    return [{"name": name, "type": error_type, "events": events} for (name, error_type), events in rows]


def _counted(connection: duckdb.DuckDBPyConnection, column: str, table: str, enough: int) -> Rows:
    """Rows by a column (`name`, `events`), the most first; values of too few installations stand together, last."""
    return [{"name": name, "events": events} for (name,), events in _counted_by(connection, (column,), table, enough)]


def _counted_by(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str], table: str, enough: int
) -> list[tuple[tuple[str | None, ...], int]]:
    """Values and how many rows have them, the most first; last those that stand together, as (merged), ""."""
    listed = ", ".join(columns)
    rest = rest_of(people_by(connection, listed, table), enough)
    rows = connection.sql(f"select {listed}, count(*) from {table} group by all").fetchall()
    told = sorted(((row[:-1], row[-1]) for row in rows if row[:-1] not in rest), key=lambda row: (-row[1], repr(row)))
    together = sum(row[-1] for row in rows if row[:-1] in rest)
    return [*told, *([((MERGED, *("" for _ in columns[1:])), together)] if rest else [])]


_KEY_EXPIRY = """
    select count(*) as keys, count(*) filter (expires_at < received_at) as expired,
           count(*) filter (adjusted_expires_at < expires_at) as renewed_early,
           quantile_cont(epoch_us(expires_at) - epoch_us(received_at), 0.5) / 60e6 as life_p50_min,
           (select count(*) from errors where event_name in ('auth.invalid_token', 'auth.unknown_401')) as refused,
           count(distinct installation_id) as installations
    from errors where expires_at is not null
"""
_PRIVACY = f"""
    select count(*) as events, count(*) filter (country is null) as without_country,
           count(*) filter (city is null) as without_city,
           list(distinct geo_database_date order by geo_database_date) as geo_database_dates
    from ({_EVENTS})
"""


def _key_expiry(connection: duckdb.DuckDBPyConnection, enough: int) -> dict[str, Any] | None:
    """None where keys were handed out to some, but too few, installations."""
    (found,) = _rows(connection, _KEY_EXPIRY)
    return None if 0 < found["installations"] < enough else found


def _freshness(connection: duckdb.DuckDBPyConnection, enough: int) -> Rows:
    """Day by day: when events came, how long after they happened, and when the last suggestion closed.

    Of a day of too few installations only the date is told: its first event is somebody's. So it is of the next
    smallest ones, as long as the events of all days, less those that are told, would be of too few installations.
    """
    hidden = rest_of(people_by(connection, "received_date", f"({_EVENTS})"), enough)
    found = _rows(connection, f"""
        with closed as (select received_date, max(closed_at) as last_closed_at from suggestions group by 1)
        select received_date, count(*) as events, min(received_at) as first_received_at,
               max(received_at) as last_received_at, any_value(last_closed_at) as last_closed_at,
               quantile_cont(epoch_us(received_at) - epoch_us(occurred_at), 0.5) / 1e6 as delay_p50_s,
               quantile_cont(epoch_us(received_at) - epoch_us(occurred_at), 0.95) / 1e6 as delay_p95_s
        from ({_EVENTS}) left join closed using (received_date) group by 1 order by 1
    """)  # fmt: skip
    return [
        {**dict.fromkeys(row), "received_date": row["received_date"]} if (row["received_date"],) in hidden else row
        for row in found
    ]
