"""Counts and rates over any dimensions; definitions with their sources in docs/metrics.md.

First every contribution becomes a row of `facts`, then cells of too few
installations are put together, then each cell is counted. What is counted
distinct (installations, active hours) and what is ranked (percentiles) cannot
be added up from smaller cells, so it is counted from the facts each time.
"""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from transforms.core.suggestions.persistence import CHECKS_S

DIMENSIONS = ("language", "extension_version", "engine", "country")
"""In the order in which they are kept: the last one is given up first."""

MERGED = "(merged)"
_WHO_AND_WHERE = f"received_date, {', '.join(DIMENSIONS)}, installation_id"
_OBSERVED = "('unchanged', 'mostly_unchanged', 'changed', 'removed')"


def _first_traces(key: str, table: str, more: str) -> str:
    """The first event received of each key, unless the day before holds one: a key counts once,
    and a day needs only the day before it to be counted.
    """
    return f"""
        select {_WHO_AND_WHERE}, {more} from (
            select *, row_number() over (partition by {key}, received_date
                                         order by received_at, occurred_at, event_id) as nth,
                bool_or(coalesce(is_failure, false)) over (partition by {key}, received_date) as has_failed
            from {table} where {key} is not null
        ) where nth = 1
        qualify lag(received_date) over (partition by {key} order by received_date)
            is distinct from received_date - 1"""


_AT_THE_CURSOR = "where coalesce(kind, 'ghost_text') in ('ghost_text', 'next_edit')"
"""Kinds that an editor shows by itself; edits that were asked for in words are in no count."""

_TRACES = " union all by name ".join(
    f"""select {_WHO_AND_WHERE}, coalesce(opportunity_id, request_id) as opportunity, received_at, occurred_at,
        event_id, false as is_failure from {dataset} {_AT_THE_CURSOR if dataset == "outcomes" else ""}"""
    for dataset in ("requests", "displays", "outcomes")
)
_FACTS = f"""
    create or replace temp table facts as
    with traces as ({_TRACES}),
    attempts as (select *, event_name = 'request.error' or status_code >= 400 as is_failure from requests)
    {_first_traces("opportunity", "traces", "true as is_opportunity")}
    union all by name
    {_first_traces("request_id", "attempts", "true as is_request, has_failed")}
    union all by name
    select distinct {_WHO_AND_WHERE}, epoch_us(coalesce(occurred_at, received_at)) // 3600000000 as active_hour
    from traces where installation_id is not null
    union all by name
    select {_WHO_AND_WHERE}, true as is_error from errors where event_name not in ('auth.new_login', 'auth.new_token')
    union all by name
    select {_WHO_AND_WHERE}, true as is_redaction from redactions
    union all by name
    select {_WHO_AND_WHERE}, true as is_suggestion, display_count > 0 as is_shown, display_count, outcome,
        is_shown and outcome in ('accepted', 'partially_accepted') as is_accepted, accepted_chars as chars, latency_ms,
        decision_ms, {", ".join(f"persistence_{s}s" for s in CHECKS_S)}
    from suggestions {_AT_THE_CURSOR}
"""


def gather_facts(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the table `facts` of everything that a rate is made of, from the views of `pipelines.rates.tables`."""
    connection.execute(_FACTS)


def _persistence(check_s: int) -> str:
    state = f"is_accepted and persistence_{check_s}s"
    return f"""
        count(*) filter ({state} in {_OBSERVED}) as observed_{check_s}s,
        count(*) filter ({state} = 'unobserved') as unobserved_{check_s}s,
        count(*) filter ({state} = 'unchanged') as unchanged_{check_s}s,
        count(*) filter ({state} in ('unchanged', 'mostly_unchanged')) as mostly_unchanged_{check_s}s,
        unchanged_{check_s}s / nullif(observed_{check_s}s, 0) as unchanged_{check_s}s_rate,
        mostly_unchanged_{check_s}s / nullif(observed_{check_s}s, 0) as mostly_unchanged_{check_s}s_rate,"""


def _percentiles(column: str) -> str:
    return "".join(
        f"quantile_cont({column}_ms, {share}) filter (is_shown) as {column}_p{round(share * 100)}_ms,"
        for share in (0.5, 0.95)
    )


_COUNTS = f"""
    count(distinct installation_id) as installations,
    count(*) filter (is_opportunity) as opportunities,
    coalesce(sum(display_count)::bigint, 0) as displays,
    count(*) filter (is_shown) as shown,
    count(*) filter (is_suggestion and not is_shown) as suggestions_without_display,
    count(*) filter (is_shown and outcome = 'accepted') as accepted_full,
    count(*) filter (is_shown and outcome = 'partially_accepted') as accepted_partial,
    count(*) filter (is_shown and outcome = 'rejected') as rejected,
    count(*) filter (is_shown and outcome = 'dismissed') as dismissed,
    count(*) filter (is_shown and outcome = 'none') as no_outcome,
    accepted_full + accepted_partial as accepted,
    shown / nullif(opportunities, 0) as shown_rate,
    accepted / nullif(shown, 0) as acceptance_rate,
    {"".join(map(_persistence, CHECKS_S))}
    coalesce(sum(chars) filter (is_accepted)::bigint, 0) as accepted_chars,
    count(distinct (installation_id, active_hour)) filter (active_hour is not null) as active_hours,
    accepted_chars / nullif(active_hours, 0) as accepted_chars_per_active_hour,
    {_percentiles("latency")}
    {_percentiles("decision")}
    count(*) filter (is_request) as requests,
    count(*) filter (is_request and has_failed) as failed_requests,
    count(*) filter (is_error) as errors,
    count(*) filter (is_redaction) as redactions,
    1000 * errors / nullif(requests, 0) as errors_per_1000_requests,
    1000 * redactions / nullif(requests, 0) as redactions_per_1000_requests,
"""


def count_people(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the table `people` of every person in `arms` (installation_id, person, arm) whom the facts know: their arm
    and every count.
    """
    connection.execute(f"""
        create or replace temp table people as
        select arm, person, {_COUNTS} from facts join arms using (installation_id) group by arm, person
    """)


def rates(
    connection: duckdb.DuckDBPyConnection, kept: Sequence[str], merging: Sequence[str], min_installations: int
) -> pa.Table:
    """A row for each cell: the columns `kept` and `merging`, `merged_dimensions`, and every count and rate.

    Cells of fewer than `min_installations` give up the last of `merging`, then
    the one before it, and go together with others that did, until there are
    enough. What is left at the end takes in the smallest cell beside it; where
    there is none, it is left out. Sorted by the columns before the counts.
    """
    columns = [*kept, *merging]
    _make_cells(connection, columns)
    for given_up in range(1, len(merging) + 1):
        _merge(connection, columns, merging[-given_up], min_installations)
    while merging and _absorb(connection, kept, merging, min_installations):
        pass
    listed = ", ".join(f"cells.to_{name} as {name}" for name in columns)
    keys = f"{listed}, any_value(merged_dimensions)::int as merged_dimensions" if columns else "0 as merged_dimensions"
    grouped = f"group by {', '.join(f'cells.to_{name}' for name in columns)}" if columns else ""
    return connection.sql(f"""
        select {keys}, {_COUNTS} from facts join cells on {_same("facts", "cells", columns)}
        {grouped} having count(distinct installation_id) >= {min_installations} order by {", ".join(columns) or "1"}
    """).to_arrow_table()


def _same(left: str, right: str, columns: Sequence[str], prefix: str = "") -> str:
    return " and ".join(f"{left}.{prefix}{c} is not distinct from {right}.{prefix}{c}" for c in columns) or "true"


def _make_cells(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> None:
    """`cells`: every combination there is, and the one it is published as; `members`: whose facts a cell holds."""
    listed = "".join(f"{name}, " for name in columns)
    targets = "".join(f"{name} as to_{name}, " for name in columns)
    connection.execute(f"""
        create or replace temp table cells as
        select row_number() over () as cell, {listed} {targets} 0 as merged_dimensions
        from (select distinct {listed} true as is_cell from facts)
    """)
    connection.execute(f"""
        create or replace temp table members as
        select distinct cell, installation_id from facts join cells on {_same("facts", "cells", columns)}
    """)


def _sizes(columns: Sequence[str]) -> str:
    targets = ", ".join(f"to_{name}" for name in columns)
    return (
        f"select {targets}, count(distinct installation_id) as size from cells join members using (cell) group by all"
    )


def _merge(connection: duckdb.DuckDBPyConnection, columns: Sequence[str], dimension: str, enough: int) -> None:
    """Cells that are too small as they are published give up a dimension."""
    connection.execute(f"""
        create or replace temp table cells as with sizes as ({_sizes(columns)})
        select cells.* replace (
            if(size < {enough}, '{MERGED}', cells.to_{dimension}) as to_{dimension},
            merged_dimensions + (size < {enough})::int as merged_dimensions)
        from cells join sizes on {_same("cells", "sizes", columns, "to_")}
    """)


def _absorb(connection: duckdb.DuckDBPyConnection, kept: Sequence[str], merging: Sequence[str], enough: int) -> bool:
    """What is left, and still too small, takes in the smallest cell beside it; whether there was one to take in."""
    columns = [*kept, *merging]
    is_rest = f"to_{merging[0]} = '{MERGED}'"
    beside = f"not coalesce({is_rest}, false)"
    group = ", ".join(f"to_{name}" for name in kept) or "true"
    everything = ", ".join(f"to_{name}" for name in columns)
    connection.execute(f"""
        create or replace temp table taken as with sizes as ({_sizes(columns)})
        select * from sizes where {beside}
        qualify row_number() over (partition by {group} order by size, {everything}) = 1
            and exists (select 1 from sizes rest where {_same("rest", "sizes", kept, "to_")}
                        and rest.{is_rest} and rest.size < {enough})
    """)
    merged = "".join(f"'{MERGED}' as to_{name}, " for name in merging)
    connection.execute(f"""
        create or replace temp table cells as
        select cells.* replace ({merged} {len(merging)} as merged_dimensions)
        from cells join taken on {_same("cells", "taken", columns, "to_")}
        union all by name
        select cells.* from cells anti join taken on {_same("cells", "taken", columns, "to_")}
    """)
    return bool(connection.sql("select count(*) from taken").fetchall()[0][0])
