"""Figures as people read them on the page."""

from datetime import date, datetime
from typing import Any

NOTHING = "\N{EN DASH}"
_SPACE = "\N{NO-BREAK SPACE}"


def number(value: float | None) -> str:
    """A whole number with separators of thousands."""
    return NOTHING if value is None else f"{value:,.0f}"


def tenths(value: float | None) -> str:
    """A number with one digit behind the point."""
    return NOTHING if value is None else f"{value:,.1f}"


def share(value: float | None) -> str:
    """A share as percent."""
    return NOTHING if value is None else f"{value:.1%}"


def span(ms: float | None) -> str:
    """A time in the unit that fits: ms below a second, s below a minute, then min and h; it may be negative."""
    if ms is None:
        return NOTHING
    for unit, of_unit_ms, below_ms in (("ms", 1, 999.5), ("s", 1000, 59_950), ("min", 60_000, 3_597_000)):
        if abs(ms) < below_ms:
            return f"{_short(ms / of_unit_ms, 0 if unit == 'ms' else 1)}{_SPACE}{unit}"
    return f"{_short(ms / 3_600_000, 1)}{_SPACE}h"


def _short(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".removesuffix(".0")


def span_of_s(seconds: float | None) -> str:
    """The same of a time in seconds."""
    return span(None if seconds is None else seconds * 1000)


def span_of_min(minutes: float | None) -> str:
    """The same of a time in minutes."""
    return span(None if minutes is None else minutes * 60_000)


def moment(value: datetime | None) -> str:
    """To the minute."""
    return NOTHING if value is None else f"{value:%Y-%m-%d %H:%M}"


def words(name: str) -> str:
    """A name of the contract as words."""
    return name.replace("_", " ")


def day_range(days: list[date]) -> str:
    """The first and the last day, or the one there is."""
    return f"{days[0]}" if days[0] == days[-1] else f"{days[0]} to {days[-1]}"


def plural(count: int, noun: str) -> str:
    """`1 day`, `2 days`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


FILTERS: dict[str, Any] = {
    f.__name__: f for f in (number, tenths, share, span, span_of_s, span_of_min, moment, words, plural)
}
