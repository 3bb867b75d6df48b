"""A day's release: near to the truth by as much as it says, large cells apart and small ones not, one epsilon in all."""

from collections.abc import Iterator

import duckdb
import pytest

from pipelines.rates.acceptance import rates
from pipelines.rates.cells import MERGED
from pipelines.rates.facts import DIMENSIONS
from pipelines.rates.kinds import GHOST_TEXT
from pipelines.rates.tables import opened
from pipelines.releasing import homes
from pipelines.releasing import release as releasing
from pipelines.releasing.bounds import COUNTS_UNITS
from pipelines.releasing.release import DELTA, Terms, release
from tests.support.crowds import DAY, LANGUAGES, hold_crowd
from transforms.core.output.layout import Output


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(Output("/nonexistent")) as connection:
        hold_crowd(connection, 800)
        yield connection


def test_rates_are_within_their_errors_and_large_languages_stand_apart(connection: duckdb.DuckDBPyConnection) -> None:
    (exact,) = [r for r in rates(connection, (), (), 1).to_pylist() if r["kind"] == GHOST_TEXT]
    rows = release(connection, DAY, Terms(8.0, 10, DIMENSIONS)).to_pylist()
    of_kind = [row for row in rows if row["kind"] == GHOST_TEXT]
    assert {"python", "typescript", "go"} <= {row["language"] for row in of_kind} <= {*LANGUAGES, MERGED}
    for row in of_kind:
        lost = [row[name] == MERGED for name in DIMENSIONS]
        assert lost == sorted(lost)
        assert sum(lost) == row["merged_dimensions"]
    (python,) = [row for row in of_kind if (row["language"], row["merged_dimensions"]) == ("python", 0)]
    by_language = {
        r["language"]: r for r in rates(connection, (), ("language",), 1).to_pylist() if r["kind"] == GHOST_TEXT
    }
    for rate in ("acceptance_rate", "shown_rate", "unchanged_30s_rate"):
        # Heavy users weigh less within the bounds: two points, beside what the noise does.
        assert abs(python[rate] - by_language["python"][rate]) < 6 * python[f"{rate}_se"] + 0.03, rate
    assert abs(python["installations"] - by_language["python"]["installations"]) < 8 * python["installations_se"]
    assert python["shown"] < exact["shown"]


def test_small_crowds_have_no_row(connection: duckdb.DuckDBPyConnection) -> None:
    assert release(connection, DAY, Terms(8.0, 5_000, DIMENSIONS)).num_rows == 0
    connection.execute("create or replace temp table few as from facts where installation_id in ('i1', 'i2')")
    kept = connection.sql("select count(*) from facts").fetchall()
    connection.execute("alter table facts rename to all_facts")
    connection.execute("alter table few rename to facts")
    assert release(connection, DAY, Terms(1.0, 10, DIMENSIONS)).num_rows <= 1  # noise alone: 1 of 140 rows
    connection.execute("drop table facts")
    connection.execute("alter table all_facts rename to facts")
    assert connection.sql("select count(*) from facts").fetchall() == kept


def test_all_that_is_drawn_costs_one_epsilon_and_one_delta(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent: list[tuple[float, float]] = []
    seen, noised = homes.seen, releasing.noised

    def spying_seen(people: dict[str, int], epsilon: float, delta: float, enough: int) -> set[str]:
        spent.append((epsilon, delta))
        return seen(people, epsilon, delta, enough)

    def spying_noised(counts: list[int], sensitivity: int, epsilon: float) -> list[int]:
        assert sensitivity == COUNTS_UNITS
        spent.append((epsilon, 0))
        return noised(counts, sensitivity, epsilon)

    monkeypatch.setattr(homes, "seen", spying_seen)
    monkeypatch.setattr(releasing, "noised", spying_noised)
    release(connection, DAY, Terms(1.5, 10, DIMENSIONS))
    assert len(spent) == len(DIMENSIONS) + 1
    assert sum(epsilon for epsilon, _ in spent) == pytest.approx(1.5)
    assert sum(delta for _, delta in spent) == pytest.approx(DELTA)
