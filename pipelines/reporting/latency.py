"""How long people waited: logarithmic bins, as a density, and the share that waited very long."""

from collections.abc import Callable, Sequence
from math import log10
from typing import Any

import duckdb

from pipelines.rates.kinds import AT_THE_CURSOR

SLOW_MS = 5000
"""Above this the page says how many waited: who types has long gone on."""

_BINS_PER_DECADE = 8
_LOWEST_MS, _DECADES = 1, 7
_COUNT = _BINS_PER_DECADE * _DECADES

Bins = list[dict[str, Any]]


def edge_ms(number: int) -> float:
    """Where a bin begins. All are equally wide on a logarithmic axis, from 1 ms to 2.8 h; the ends take the rest."""
    return float(_LOWEST_MS * 10 ** (number / _BINS_PER_DECADE))


def latencies(connection: duckdb.DuckDBPyConnection, enough: int) -> dict[str, Bins]:
    """Kind -> its bins: what was shown after waiting, by latency, and no bin of fewer than `enough` installations.

    A bin of too few goes together with the next one, so that some are wider than others; `density` is the share of the
    kind for each tenfold of the time, and the areas of all bins are 1. A kind of too few installations is left out.
    """
    edges = [edge_ms(n) for n in range(1, _COUNT)]
    connection.execute(f"""
        create or replace temp table waits as
        select kind, len(list_filter({edges}, lambda edge: edge <= request_latency_ms)) as bin, installation_id,
               count(*) as shown
        from facts where is_shown and request_latency_ms >= 0 group by all
    """)
    return {kind: found for kind in AT_THE_CURSOR if (found := _bins(connection, kind, enough))}


def _bins(connection: duckdb.DuckDBPyConnection, kind: str, enough: int) -> Bins:
    of_bin = dict(connection.execute("select bin, sum(shown)::bigint from waits where kind = $kind group by 1",
                                     {"kind": kind}).fetchall())  # fmt: skip
    if not of_bin:
        return []

    def people(low: int, high: int) -> int:
        """Installations in the bins from `low` on and before `high`."""
        return connection.execute(
            """
            select count(distinct installation_id) from waits where kind = $kind and bin >= $low and bin < $high
        """,
            {"kind": kind, "low": low, "high": high},
        ).fetchall()[0][0]

    spans = spans_of_enough(min(of_bin), max(of_bin) + 1, people, enough)
    whole = sum(of_bin.values())
    return [_bin(low, high, sum(of_bin.get(n, 0) for n in range(low, high)), whole) for low, high in spans]


def spans_of_enough(low: int, high: int, people: Callable[[int, int], int], enough: int) -> Sequence[tuple[int, int]]:
    """[low, high) cut into the shortest spans of enough people from the left; the rest goes to the last one."""
    spans: list[tuple[int, int]] = []
    begin = low
    for end in range(low + 1, high + 1):
        if people(begin, end) >= enough:
            spans.append((begin, end))
            begin = end
    if spans:
        spans[-1] = (spans[-1][0], high)
    return spans


def _bin(low: int, high: int, shown: int, whole: int) -> dict[str, Any]:
    from_ms, to_ms = edge_ms(low), edge_ms(high)
    return {"from_ms": from_ms, "to_ms": to_ms, "shown": shown, "density": shown / whole / log10(to_ms / from_ms)}


def slow_rates(connection: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Kind -> the share of what was shown after waiting that came after more than SLOW_MS."""
    return dict(connection.execute(f"""
        select kind, avg((request_latency_ms > {SLOW_MS})::int) from facts
        where is_shown and request_latency_ms is not null group by 1
    """).fetchall())  # fmt: skip
