"""Counts and rates over any dimensions, kind by kind.

Cells of too few installations are put together, then each cell is counted from
the facts. What is counted distinct (installations, active hours) and what is
ranked (percentiles) cannot be added up from smaller cells.
"""

from collections.abc import Iterable, Sequence

import duckdb
import pyarrow as pa

from pipelines.rates.cells import merge_cells, same
from pipelines.rates.counts import FIGURES, counted, needed

KIND = "kind"
"""Always kept: a rate of several kinds says nothing about any of them."""


def count_people(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Makes the table `people` of every person in `arms` (installation_id, person, arm) whom the facts know: their arm
    and these counts, a row for each kind and one of ANY.
    """
    of_person = counted(
        "facts join arms using (installation_id)",
        {"arm": "arm", "person": "person", KIND: f"facts.{KIND}"},
        figures=needed(names),
    )
    connection.execute(f"create or replace temp table people as {of_person}")


def rates(
    connection: duckdb.DuckDBPyConnection, kept: Sequence[str], merging: Sequence[str], min_installations: int
) -> pa.Table:
    """A row for each cell: the columns `kept`, `kind` and `merging`, `merged_dimensions`, and every count and rate.

    Cells of fewer than `min_installations` give up the last of `merging`, then
    the one before it, and go together with others of their kind that did, until
    there are enough. What is left at the end takes in the smallest cell beside it;
    where there is none, it is left out. Sorted by the columns before the counts.
    """
    kept = [*kept, KIND]
    columns = [*kept, *merging]
    merge_cells(connection, kept, merging, min_installations)
    cells = counted(
        f"facts join cells on {same('facts', 'cells', columns)}",
        {name: f"cells.to_{name}" for name in columns},
        "any_value(merged_dimensions)::int as merged_dimensions",
    )
    names = ", ".join((*columns, "merged_dimensions", *(figure.name for figure in FIGURES)))
    return connection.sql(f"""
        select {names} from ({cells}) where installations >= {min_installations} order by {", ".join(columns)}
    """).to_arrow_table()
