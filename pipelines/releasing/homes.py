"""Which cells a day has: found from noised numbers of people, so that nobody's presence shows in them.

Each installation is at home in one cell: where it has most facts. From the whole day down, one dimension at a time, a
value gets a cell of its own where the noised number of those at home there is large enough. What is in no such cell
stands in the cell above, under MERGED.
"""

import json
from collections.abc import Sequence
from datetime import date

import duckdb
import pyarrow as pa

from pipelines.rates.cells import MERGED
from pipelines.rates.facts import DIMENSIONS
from pipelines.releasing.bounded import Cell
from pipelines.releasing.mechanism import seen

Values = tuple[str | None, ...]
"""Values of the first dimensions, in the order in which they are kept."""


def gather_homes(connection: duckdb.DuckDBPyConnection, day: date) -> None:
    """Makes the tables `day_facts` and `homes` (installation_id, DIMENSIONS) of a day from `facts`."""
    place = ", ".join(DIMENSIONS)
    connection.execute(f"create or replace temp table day_facts as from facts where received_date = '{day}'")
    connection.execute(f"""
        create or replace temp table homes as
        select installation_id, {place} from day_facts where installation_id is not null
        group by installation_id, {place}
        qualify row_number() over (partition by installation_id order by count(*) desc, {place}) = 1
    """)


def choose_cells(
    connection: duckdb.DuckDBPyConnection, kept: Sequence[str], enough: int, epsilon: float, delta: float
) -> dict[Cell, int]:
    """Makes the table `cells` as `assign_cells` does, by noised numbers of people; (epsilon, delta)-private.

    `kept` are the dimensions, the one that is given up last first.
    """
    chosen: set[Values] = {()}
    for depth in range(1, len(kept) + 1):
        chosen |= _seen_below(connection, kept[:depth], chosen, enough, epsilon / len(kept), delta / len(kept))
    return assign_cells(connection, kept, chosen)


def assign_cells(connection: duckdb.DuckDBPyConnection, kept: Sequence[str], chosen: set[Values]) -> dict[Cell, int]:
    """Makes the table `cells` (DIMENSIONS, `to_...` of each) for `day_facts`; returns the cells, each with how many
    dimensions it gave up.
    """
    listed = ", ".join(kept)
    places = connection.sql(f"select {listed} from day_facts union select {listed} from homes").fetchall()
    targets = [(place, _deepest(place, chosen)) for place in places]
    _make_table(connection, kept, [(place, _published(target, kept)) for place, target in targets])
    return {_published(values, kept): len(kept) - len(values) for values in sorted(chosen, key=repr)}


def _seen_below(
    connection: duckdb.DuckDBPyConnection,
    names: Sequence[str],
    chosen: set[Values],
    enough: int,
    epsilon: float,
    delta: float,
) -> set[Values]:
    """Those values of the dimensions, below a cell that was chosen, where enough people seem to be at home."""
    rows = connection.sql(f"select {', '.join(names)}, count(*) from homes group by all").fetchall()
    people = {json.dumps(row[:-1]): row[-1] for row in rows if tuple(row[:-2]) in chosen}
    return {tuple(json.loads(key)) for key in seen(people, epsilon, delta, enough)}


def _deepest(place: Values, chosen: set[Values]) -> Values:
    """The longest beginning that was chosen."""
    depth = next(d for d in range(len(place), -1, -1) if place[:d] in chosen)
    return place[:depth]


def _published(values: Values, kept: Sequence[str]) -> Cell:
    by_name = dict(zip(kept, (*values, *[MERGED] * (len(kept) - len(values))), strict=True))
    return tuple(by_name[name] for name in DIMENSIONS)


def _make_table(
    connection: duckdb.DuckDBPyConnection, kept: Sequence[str], rows: Sequence[tuple[Values, Cell]]
) -> None:
    schema = pa.schema([(name, pa.string()) for name in (*kept, *(f"to_{name}" for name in DIMENSIONS))])
    table = pa.table(
        [pa.array([(*place, *cell)[n] for place, cell in rows], pa.string()) for n in range(len(schema))], schema
    )
    connection.register("cells_of_day", table)
    connection.execute("create or replace temp table cells as from cells_of_day")
    connection.unregister("cells_of_day")
