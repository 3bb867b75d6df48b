"""Figures that only few people of a cell have are taken off the page.

A cell of enough installations may hold a time or a later look at the text of one of them alone, whose median is then
what that person did.
"""

from collections.abc import Sequence
from typing import Any

import duckdb

from pipelines.rates.cells import same
from pipelines.rates.counts import needed
from transforms.core.suggestions.persistence import CHECKS_S
from transforms.core.suggestions.survival import SURVIVAL_S


def _measures() -> dict[str, tuple[str, ...]]:
    """The figure that counts what was measured -> the figures made of that, it among them."""
    found = {
        f"{name}_known": tuple(f"{name}_{n}" for n in ("known", "p50_ms", "p95_ms"))
        for name in ("latency", "time_until_shown", "decision")
    }
    for s in CHECKS_S:
        found[f"observed_{s}s"] = tuple(
            f"{n}_{s}s{rate}" for n, rate in (("observed", ""), ("unobserved", ""), ("unchanged", "_rate"),
                                              ("mostly_unchanged", "_rate"))
        )  # fmt: skip
    for method in ("four_gram", "no_revert", "retained"):
        for s in SURVIVAL_S:
            figures = (f"observed_{s}s", f"unobserved_{s}s", f"{s}s_ratio")
            found[f"{method}_observed_{s}s"] = tuple(f"{method}_{n}" for n in figures)
    return found


MEASURES = _measures()


def without_few(
    connection: duckdb.DuckDBPyConnection, rows: Sequence[dict[str, Any]], columns: Sequence[str], enough: int
) -> list[dict[str, Any]]:
    """The rows, with None for each figure that is of some, but too few, installations.

    They are as `rates` made them last of this connection, and `columns` (`kind` among them) tell them apart: `cells`
    still says which facts are in which row.
    """
    counts = ", ".join(
        f"{figure.formula.replace('count(*)', 'count(distinct installation_id)')} as {figure.name}"
        for figure in needed(MEASURES)
    )
    keys = ", ".join(f"cells.to_{name} as {name}" for name in columns)
    found = connection.sql(f"""
        select {keys}, {counts} from facts join cells on {same("facts", "cells", columns)} group by all
    """).to_arrow_table().to_pylist()  # fmt: skip
    people = {tuple(row[name] for name in columns): row for row in found}
    return [_hidden(row, people[tuple(row[name] for name in columns)], enough) for row in rows]


def _hidden(row: dict[str, Any], people: dict[str, int], enough: int) -> dict[str, Any]:
    few = {figure: None for name, figures in MEASURES.items() if 0 < people[name] < enough for figure in figures}
    return {**row, **few}
