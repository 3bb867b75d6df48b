"""A day's figures as they may leave the team: cells chosen and counts drawn with noise, once."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from pipelines.rates.counts import formulas_over
from pipelines.rates.facts import DIMENSIONS
from pipelines.releasing import estimates
from pipelines.releasing.bounded import Cell, Count, counts_in_units, gather_bounded
from pipelines.releasing.bounds import CELLS_BUDGET, COUNTS_UNITS, STREAMS
from pipelines.releasing.estimates import Estimate
from pipelines.releasing.homes import choose_cells, gather_homes
from pipelines.releasing.mechanism import deviation, noised
from schemas.registry import ACCEPTANCE, load

DELTA = 1e-7
"""The probability that a value which one person alone brought gets a cell, over all dimensions of a day."""

LEAST_PEOPLE_DEVIATIONS = 3
"""Of nobody at all, noise makes so many standard deviations of it in 1 of 140 rows."""


class Terms(NamedTuple):
    """What a day is published under: its epsilon, the least people of a cell, and the dimensions, first kept first."""

    epsilon: float
    min_installations: int
    kept: Sequence[str]


def release(connection: duckdb.DuckDBPyConnection, day: date, terms: Terms) -> pa.Table:
    """The rows of `acceptance` for a day, drawn anew from the table `facts`: (epsilon, DELTA)-private, whatever one
    installation did on any day. Columns of which no count is drawn are null.
    """
    gather_homes(connection, day)
    for_cells = terms.epsilon * CELLS_BUDGET
    cells = choose_cells(connection, terms.kept, terms.min_installations, for_cells, DELTA)
    gather_bounded(connection)
    drawn = draw(counts_in_units(connection), [*cells], terms.epsilon - for_cells)
    rows = [
        _row(cell, kind, cells[cell], parts)
        for (cell, kind), parts in drawn.items()
        if _is_of_enough(parts["installations"], terms.min_installations)
    ]
    told = [row | {"received_date": day, "privacy_epsilon": terms.epsilon} for row in rows]
    return _with_rates(connection, told)


def asked(cells: Sequence[Cell]) -> list[Count]:
    """Every count that is drawn for these cells, in a fixed order, whether anything is there or not."""
    return [
        Count(cell, kind, part.name)
        for cell in cells
        for stream in STREAMS
        for measure in stream.measures
        for part in measure.parts
        for kind in part.kinds
    ]


def draw(
    units: Mapping[Count, int], cells: Sequence[Cell], epsilon: float
) -> dict[tuple[Cell, str], dict[str, Estimate]]:
    """The parts of each cell and kind, with noise; what belongs to a measure is made to be of one whole again."""
    counts = asked(cells)
    drawn = dict(zip(counts, noised([units.get(count, 0) for count in counts], COUNTS_UNITS, epsilon), strict=True))
    spread = deviation(COUNTS_UNITS, epsilon)
    kinds = dict.fromkeys(count.kind for count in counts)
    return {(cell, kind): dict(_parts(cell, kind, drawn, spread)) for cell in cells for kind in kinds}


def _parts(cell: Cell, kind: str, drawn: Mapping[Count, int], spread: float) -> Iterator[tuple[str, Estimate]]:
    for stream in STREAMS:
        for measure in stream.measures:
            if told := [part for part in measure.parts if kind in part.kinds]:
                unit = stream.unit(measure, kind)
                values = estimates.split(drawn[Count(cell, kind, part.name)] / unit for part in told)
                for part, value in zip(told, values, strict=True):
                    yield part.name, Estimate(round(value * part.worth), spread / unit * part.worth)


def _is_of_enough(installations: Estimate, least: int) -> bool:
    """Whether a row is of so many people, and of more than noise alone would often make of nobody."""
    return installations.value >= max(least, LEAST_PEOPLE_DEVIATIONS * installations.deviation)


def _row(cell: Cell, kind: str, given_up: int, parts: Mapping[str, Estimate]) -> dict[str, Any]:
    place = {"kind": kind, "merged_dimensions": given_up, **dict(zip(DIMENSIONS, cell, strict=True))}
    return place | estimates.figures(kind, parts) | estimates.errors(kind, parts)


def _with_rates(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> pa.Table:
    """Rates by the same formulas as without noise, null where their error says that they are nothing."""
    schema = load(ACCEPTANCE).arrow.remove_metadata().append(pa.field("received_date", pa.date32()))
    fields = {field.name: field for field in schema}
    counted = pa.schema([fields.get(name, pa.field(name, pa.int64())) for name in rows[0]]) if rows else None
    if counted is None:
        return schema.empty_table()
    connection.register("drawn", pa.Table.from_pylist(rows, counted))
    made = connection.sql(formulas_over("select * from drawn")).to_arrow_table().to_pylist()
    for row in made:
        for name in row:
            if name.endswith(("_rate", "_ratio")) or "_per_" in name:
                row[name] = None if row.get(f"{name}_se") is None else min(row[name], _most(name))
    return pa.Table.from_pylist([{name: row.get(name) for name in fields} for row in made], schema)


def _most(rate: str) -> float:
    return 1.0 if rate in estimates.UNIT_RATES else float("inf")
