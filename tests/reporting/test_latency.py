"""Bins of latency: every wait is in one, none is of few people, and areas are shares."""

import itertools
from collections.abc import Iterator
from math import log10

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.reporting.latency import SLOW_MS, edge_ms, latencies, slow_rates, spans_of_enough

WAIT = st.tuples(
    st.sampled_from(["ghost_text", "next_edit", "inline_chat"]),
    st.none()
    | st.sampled_from([0.0, 1.0, 5000.0, 5000.1, 1e9])
    | st.floats(-10, 1e6)
    | st.integers(0, 56).map(edge_ms),
    st.integers(0, 5).map(str),
    st.booleans(),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def holds(connection: duckdb.DuckDBPyConnection, rows: list[tuple[str, float | None, str, bool]]) -> None:
    connection.execute("""create or replace temp table facts
        (kind varchar, request_latency_ms double, installation_id varchar, is_shown bool)""")
    if rows:
        connection.executemany("insert into facts values (?, ?, ?, ?)", rows)


@settings(max_examples=40)
@given(st.lists(WAIT, max_size=40), st.integers(1, 4))
def test_every_wait_is_in_one_bin_and_every_bin_is_of_enough_people(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[str, float | None, str, bool]], enough: int
) -> None:
    holds(connection, rows)
    found = latencies(connection, enough)
    slow = slow_rates(connection)
    for kind in ("ghost_text", "next_edit"):
        waits = [(ms, who) for k, ms, who, is_shown in rows if k == kind and is_shown and ms is not None]
        assert slow.get(kind) == (pytest.approx(sum(ms > SLOW_MS for ms, _ in waits) / len(waits)) if waits else None)
        told = [(ms, who) for ms, who in waits if ms >= 0]
        assert (kind in found) == (len({who for _, who in told}) >= enough)
        bins = found.get(kind, [])
        for before, after in itertools.pairwise(bins):
            assert before["to_ms"] == after["from_ms"]
        for nth, one in enumerate(bins):
            low = -1 if nth == 0 else one["from_ms"]
            high = float("inf") if one is bins[-1] else one["to_ms"]
            inside = [(ms, who) for ms, who in told if low <= ms < high]
            assert one["shown"] == len(inside)
            assert len({who for _, who in inside}) >= enough
        if bins:
            assert sum(b["density"] * log10(b["to_ms"] / b["from_ms"]) for b in bins) == pytest.approx(1)
    assert "inline_chat" not in found


def test_bins_are_equally_wide_on_a_logarithmic_axis() -> None:
    assert edge_ms(0) == 1
    assert {round(log10(edge_ms(n + 1) / edge_ms(n)), 9) for n in range(56)} == {0.125}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(1, 6))
def test_spans_follow_each_other_and_are_as_short_as_they_can_be(sizes: list[int], enough: int) -> None:
    spans = spans_of_enough(0, len(sizes), lambda low, high: sum(sizes[low:high]), enough)
    assert bool(spans) == (sum(sizes) >= enough)
    assert [n for span in spans for n in range(*span)] == [*range(len(sizes))] * bool(spans)
    for low, high in spans[:-1]:
        assert sum(sizes[low:high]) >= enough > sum(sizes[low : high - 1])
