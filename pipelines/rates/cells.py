"""Cells of too few people go together, until each that is published is about enough of them."""

from collections.abc import Sequence

import duckdb

MERGED = "(merged)"


def merge_cells(
    connection: duckdb.DuckDBPyConnection, kept: Sequence[str], merging: Sequence[str], enough: int
) -> None:
    """Makes the table `cells` from `facts`: each combination that there is of the columns `kept` and `merging`, as
    which one it is published (columns `to_...`), and `merged_dimensions`, how many of `merging` it gave up.

    Columns of `kept` are never given up. What gave up all others may still be of fewer people than `enough`.
    """
    columns = [*kept, *merging]
    _make_cells(connection, columns)
    for given_up in range(1, len(merging) + 1):
        _merge(connection, columns, merging[-given_up], enough)
    while merging and _absorb(connection, kept, merging, enough):
        pass


def same(left: str, right: str, columns: Sequence[str], prefix: str = "") -> str:
    """The condition that both tables have the same in these columns, or nothing."""
    return " and ".join(f"{left}.{prefix}{c} is not distinct from {right}.{prefix}{c}" for c in columns)


def _make_cells(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> None:
    """`cells`: every combination there is, and the one it is published as; `members`: whose facts a cell holds."""
    listed = "".join(f"{name}, " for name in columns)
    targets = "".join(f"{name} as to_{name}, " for name in columns)
    connection.execute(f"""
        create or replace temp table cells as
        select row_number() over () as cell, {listed} {targets} 0 as merged_dimensions
        from (select distinct {listed} from facts)
    """)
    connection.execute(f"""
        create or replace temp table members as
        select distinct cell, installation_id from facts join cells on {same("facts", "cells", columns)}
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
        from cells join sizes on {same("cells", "sizes", columns, "to_")}
    """)


def _absorb(connection: duckdb.DuckDBPyConnection, kept: Sequence[str], merging: Sequence[str], enough: int) -> bool:
    """What is left, and still too small, takes in the smallest cell beside it; whether there was one to take in."""
    columns = [*kept, *merging]
    is_rest = f"to_{merging[0]} = '{MERGED}'"
    beside = f"not coalesce({is_rest}, false)"
    group = ", ".join(f"to_{name}" for name in kept)
    everything = ", ".join(f"to_{name}" for name in columns)
    connection.execute(f"""
        create or replace temp table taken as with sizes as ({_sizes(columns)})
        select * from sizes where {beside}
        qualify row_number() over (partition by {group} order by size, {everything}) = 1
            and exists (select 1 from sizes rest where {same("rest", "sizes", kept, "to_")}
                        and rest.{is_rest} and rest.size < {enough})
    """)
    merged = "".join(f"'{MERGED}' as to_{name}, " for name in merging)
    connection.execute(f"""
        create or replace temp table cells as
        select cells.* replace ({merged} {len(merging)} as merged_dimensions)
        from cells join taken on {same("cells", "taken", columns, "to_")}
        union all by name
        select cells.* from cells anti join taken on {same("cells", "taken", columns, "to_")}
    """)
    return bool(connection.sql("select count(*) from taken").fetchall()[0][0])
