"""Measures how far published rates are from the exact ones: what bounds do, and what noise does.

python -m tests.bench.private_rates
"""

import math
import statistics
import sys
from collections.abc import Mapping
from unittest.mock import patch

import duckdb

from pipelines.rates.acceptance import rates
from pipelines.rates.facts import DIMENSIONS
from pipelines.rates.kinds import GHOST_TEXT
from pipelines.rates.tables import opened
from pipelines.releasing import bounded
from pipelines.releasing.bounded import Count, counts_in_units, gather_bounded
from pipelines.releasing.bounds import CELLS_BUDGET, STREAMS
from pipelines.releasing.estimates import RATIOS, Estimate, errors
from pipelines.releasing.homes import assign_cells, choose_cells, gather_homes
from pipelines.releasing.release import DELTA, draw
from tests.support.crowds import DAY, LANGUAGES, hold_crowd
from transforms.core.output.layout import Output

_PEOPLE, _EPSILONS, _DRAWS = (100, 1_000, 10_000), (0.5, 1.0, 2.0, 4.0), 60
_RATES = ("acceptance_rate", "shown_rate", "unchanged_30s_rate", "unchanged_600s_rate")


def _value(rate: str, parts: Mapping[str, float]) -> float:
    above, below = (sum(parts.get(n, 0) for n in names) for names in (RATIOS[rate].above, RATIOS[rate].below))
    return above / below if below else math.nan


def _bounded_only(units: Mapping[Count, int]) -> dict[str, float]:
    """The rates of what is within the bounds, before any noise."""
    parts = {
        part.name: units.get(count, 0) / stream.unit(measure, GHOST_TEXT)
        for stream in STREAMS for measure in stream.measures for part in measure.parts if GHOST_TEXT in part.kinds
        for count in units if (count.part, count.kind) == (part.name, GHOST_TEXT)
    }  # fmt: skip
    return {rate: _value(rate, parts) for rate in _RATES}


def _told(parts: Mapping[str, Estimate]) -> dict[str, float]:
    """The rates that are published, those that are null left out."""
    errors_of = errors(GHOST_TEXT, parts)
    values = {name: float(part.value) for name, part in parts.items()}
    return {rate: min(_value(rate, values), 1) for rate in _RATES if errors_of[f"{rate}_se"] is not None}


def _languages(connection: duckdb.DuckDBPyConnection, epsilon: float) -> int:
    """How many of the languages get a cell of their own."""
    cells = choose_cells(connection, DIMENSIONS, 10, epsilon * CELLS_BUDGET, DELTA)
    return len({cell[0] for cell in cells} & {*LANGUAGES})


def _measure(people: int) -> None:
    with opened(Output("/nonexistent")) as connection:
        hold_crowd(connection, people)
        (exact,) = [r for r in rates(connection, (), (), 1).to_pylist() if r["kind"] == GHOST_TEXT]
        gather_homes(connection, DAY)
        (cell,) = assign_cells(connection, DIMENSIONS, {()})
        gather_bounded(connection)
        units = counts_in_units(connection)
        biases = {rate: value - exact[rate] for rate, value in _bounded_only(units).items()}
        print(f"| {people:,} | bounds alone | {' | '.join(f'{100 * biases[r]:+.1f}' for r in _RATES)} | |")
        for epsilon in _EPSILONS:
            drawn = [_told(draw(units, [cell], epsilon * (1 - CELLS_BUDGET))[cell, GHOST_TEXT]) for _ in range(_DRAWS)]
            cells = [_error(rate, exact[rate], drawn) for rate in _RATES]
            print(f"| {people:,} | {epsilon:g} | {' | '.join(cells)} | {_languages(connection, epsilon)} of 5 |")
            sys.stdout.flush()


def _error(rate: str, exact: float, drawn: list[dict[str, float]]) -> str:
    """Root mean square error in percentage points; null where it is mostly not published."""
    off = [told[rate] - exact for told in drawn if rate in told]
    return "null" if len(off) < len(drawn) / 2 else f"{100 * math.sqrt(statistics.fmean(x * x for x in off)):.1f}"


def _measure_bounds(people: int) -> None:
    """What other bounds would do: all points of what people use times a factor."""
    with opened(Output("/nonexistent")) as connection:
        hold_crowd(connection, people)
        (exact,) = [r for r in rates(connection, (), (), 1).to_pylist() if r["kind"] == GHOST_TEXT]
        gather_homes(connection, DAY)
        assign_cells(connection, DIMENSIONS, {()})
        for factor in (0.25, 0.5, 1, 2, 4):
            streams = tuple(s._replace(points=int(s.points * factor)) if s.load == "use" else s for s in STREAMS)
            with patch.object(bounded, "STREAMS", streams), patch(f"{__name__}.STREAMS", streams):
                gather_bounded(connection)
                units = counts_in_units(connection)
                bias = _bounded_only(units)["acceptance_rate"] - exact["acceptance_rate"]
            thinned = connection.sql(
                f"select avg((needed > {streams[1].points})::int) from "
                "(select any_value(needed) as needed from spent_suggestions group by installation_id)"
            ).fetchall()[0][0]
            print(f"| {factor:g} | {streams[1].points} | {100 * thinned:.0f} % | {100 * bias:+.2f} |")


if __name__ == "__main__":
    print("| times | suggestions a day | thinned | bias of acceptance_rate |")
    _measure_bounds(_PEOPLE[-1])
    print(f"| installations | epsilon | {' | '.join(_RATES)} | languages with a cell |")
    print("| --- " * (len(_RATES) + 3) + "|")
    for count in _PEOPLE:
        _measure(count)
