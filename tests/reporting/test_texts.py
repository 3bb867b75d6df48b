"""Figures as people read them: in the unit that fits, and a dash for nothing."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reporting import texts


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"), (437.2, "437 ms"), (999.4, "999 ms"), (999.6, "1 s"), (1826, "1.8 s"), (59_940, "59.9 s"),
        (59_960, "1 min"), (90_000, "1.5 min"), (3_599_000, "1 h"), (9_000_000, "2.5 h"), (-96 * 60_000, "-1.6 h"),
        (None, "\N{EN DASH}"),
    ],
)  # fmt: skip
def test_a_time_is_told_in_the_unit_that_fits(ms: float | None, text: str) -> None:
    assert texts.span(ms).replace("\N{NO-BREAK SPACE}", " ") == text


@given(st.floats(-1e9, 1e9))
def test_the_unit_is_the_largest_of_which_there_is_one_and_half_a_digit_is_all_that_is_lost(ms: float) -> None:
    value, unit = texts.span(ms).split("\N{NO-BREAK SPACE}")
    of_unit_ms = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}[unit]
    number = float(value.replace(",", ""))
    assert abs(number * of_unit_ms - ms) <= (0.5 if unit == "ms" else 0.05 * of_unit_ms) * 1.001
    assert unit == "ms" or abs(number) >= 1
    assert unit == "h" or abs(number) < {"ms": 1000, "s": 60, "min": 60}[unit]


def test_other_figures_and_what_is_not_there() -> None:
    assert [texts.number(1234.4), texts.tenths(1234.44), texts.share(0.12345)] == ["1,234", "1,234.4", "12.3%"]
    assert texts.moment(datetime(2026, 3, 29, 12, 1, 59, tzinfo=UTC)) == "2026-03-29 12:01"
    assert texts.span_of_s(90) == texts.span_of_min(1.5) == texts.span(90_000)
    ways = (texts.number, texts.tenths, texts.share, texts.moment, texts.span_of_s, texts.span_of_min)
    assert {way(None) for way in ways} == {"\N{EN DASH}"}
    assert (texts.plural(1, "day"), texts.plural(1000, "day")) == ("1 day", "1,000 days")
    assert texts.words("next_edit") == "next edit"
    first, last = date(2026, 3, 28), date(2026, 3, 30)
    assert texts.day_range([first]) == "2026-03-28"
    assert texts.day_range([first, last]) == "2026-03-28 to 2026-03-30"
