"""What each installation brings to the counts of one day, within the bounds: points, thinning, sums in units."""

from collections.abc import Sequence
from typing import NamedTuple

import duckdb

from pipelines.rates.cells import same
from pipelines.rates.facts import DIMENSIONS
from pipelines.releasing.bounds import STREAMS, Measure, Stream

Cell = tuple[str | None, ...]
"""What a cell is published as: the values of DIMENSIONS, and MERGED where it gave one up."""


class Count(NamedTuple):
    """Which count: a part of a measure, of a kind in a cell."""

    cell: Cell
    kind: str
    part: str


_TO = ", ".join(f"to_{name}" for name in DIMENSIONS)
_PLACED = f"""
    select day_facts.*, {_TO}, null::bool as is_home
    from day_facts join cells on {same("day_facts", "cells", DIMENSIONS)}"""
_HOURS = f"select distinct kind, {_TO}, installation_id, active_hour from ({_PLACED}) where active_hour is not null"
_HOMES = f"""
    select distinct day_facts.kind, {_TO}, installation_id, true as is_home
    from homes join day_facts using (installation_id) join cells on {same("homes", "cells", DIMENSIONS)}"""


def gather_bounded(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes a table of each stream (`bounded_...`: the facts that are within the bounds, and the units that each brings
    to every part) from the tables `day_facts`, `homes` and `cells`.
    """
    placed = f"{_PLACED} where active_hour is null union all by name {_HOURS} union all by name {_HOMES}"
    connection.execute(f"create or replace temp view placed as {placed}")
    for stream in STREAMS:
        _spend(connection, stream)
    for stream in STREAMS:
        beside = [other for other in STREAMS if other.load == stream.load]
        _thin(connection, stream, beside)


def counts_in_units(connection: duckdb.DuckDBPyConnection) -> dict[Count, int]:
    """The counts that are not 0, each times its weight: one installation changes their sum by BUDGET_UNITS at most."""
    found: dict[Count, int] = {}
    for stream in STREAMS:
        for measure in stream.measures:
            found |= _sums(connection, stream, measure)
    return found


def _spend(connection: duckdb.DuckDBPyConnection, stream: Stream) -> None:
    """`spent_...`: the stream's facts in an order that says nothing, and the points that they take in turn."""
    costs = " ".join(f"when '{kind}' then {cost}" for kind, cost in stream.costs.items())
    in_order = "partition by installation_id order by md5(concat(fact_id, active_hour)) rows unbounded preceding"
    units = ", ".join(
        f"floor(least(greatest(coalesce(({part.share})::double, 0), 0), 1) * cost * {stream.weight(measure)})::bigint"
        f" as units_of_{part.name}"
        for measure in stream.measures
        for part in measure.parts
    )
    connection.execute(f"""
        create or replace temp table spent_{stream.name} as
        select * exclude (fact_id, active_hour), sum(cost) over ({in_order}) as taken,
            sum(cost) over (partition by installation_id) as needed
        from (select kind, {_TO}, installation_id, fact_id, active_hour, cost, {units}
              from (select *, case kind {costs} end as cost from placed where {stream.facts}) where cost is not null)
    """)


def _thin(connection: duckdb.DuckDBPyConnection, stream: Stream, beside: Sequence[Stream]) -> None:
    """Leaves out the same share of an installation's facts in all streams that are thinned together."""
    loads = " union all ".join(
        f"select installation_id, needed / {other.points} as load from spent_{other.name}" for other in beside
    )
    connection.execute(f"""
        create or replace temp table bounded_{stream.name} as
        with loads as (select installation_id, greatest(max(load), 1) as load from ({loads}) group by all)
        select spent.* from spent_{stream.name} spent
        join loads on loads.installation_id is not distinct from spent.installation_id
        where taken <= needed / load + 1e-6 and taken <= {stream.points}
    """)


def _sums(connection: duckdb.DuckDBPyConnection, stream: Stream, measure: Measure) -> dict[Count, int]:
    sums = ", ".join(f"sum(units_of_{part.name})::bigint" for part in measure.parts)
    rows = connection.sql(f"select kind, {_TO}, {sums} from bounded_{stream.name} group by all").fetchall()
    first = 1 + len(DIMENSIONS)
    return {
        Count(tuple(row[1:first]), row[0], part.name): units
        for row in rows
        for part, units in zip(measure.parts, row[first:], strict=True)
        if units and row[0] in part.kinds
    }
