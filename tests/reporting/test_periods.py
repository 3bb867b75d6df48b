"""Days until two weeks are full, then weeks; strips from three days on."""

from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reporting.periods import add_periods, periods_of
from transforms.core.times import UNKNOWN_DATE

FIRST = date(2026, 3, 26)


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=n) for n in range(count)]


@pytest.mark.parametrize(
    ("count", "unit", "names", "has_strips"),
    [(1, "day", 1, False), (2, "day", 2, False), (3, "day", 3, True), (13, "day", 13, True), (14, "week", 3, True),
     (400, "week", 58, True)],
)  # fmt: skip
def test_weekly_from_14_days_on_and_strips_from_3(count: int, unit: str, names: int, has_strips: bool) -> None:
    periods = periods_of(days(count))
    assert (periods.unit, len(periods.names), periods.has_strips) == (unit, names, has_strips)


def test_it_is_the_span_that_counts_and_nothing_in_it_is_left_out() -> None:
    periods = periods_of([FIRST + timedelta(days=13), UNKNOWN_DATE, FIRST])
    assert periods.names == ["2026-03-23", "2026-03-30", "2026-04-06"]
    assert periods_of([FIRST + timedelta(days=2), FIRST]).names == ["2026-03-26", "2026-03-27", "2026-03-28"]
    assert periods_of([UNKNOWN_DATE]).names == periods_of([]).names == []


@given(st.lists(st.dates(date(2025, 1, 1), date(2026, 12, 31)), min_size=1, max_size=20))
def test_every_fact_of_a_day_is_in_a_period_that_is_drawn(drawn: list[date]) -> None:
    periods = periods_of(drawn)
    with duckdb.connect() as connection:
        connection.execute("create temp table facts (received_date date)")
        connection.executemany("insert into facts values (?)", [(day,) for day in [*drawn, UNKNOWN_DATE]])
        add_periods(connection, periods)
        found = dict(connection.sql("select received_date, period from facts").fetchall())
    assert found.pop(UNKNOWN_DATE) not in periods.names
    for day, name in found.items():
        assert name in periods.names
        assert 0 <= (day - date.fromisoformat(name)).days < (7 if periods.unit == "week" else 1)
