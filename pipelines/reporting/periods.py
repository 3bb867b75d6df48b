"""Days or weeks, in which volume and acceptance are shown over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from transforms.core.times import UNKNOWN_DATE

WEEKLY_FROM_DAYS = 14
STRIPS_FROM_DAYS = 3

PERIOD = "period"


@dataclass(frozen=True)
class Periods:
    """`unit` is day or week; `names` are the ISO dates on which they begin, none left out; `days` is their span."""

    unit: str
    names: list[str]
    days: int

    @property
    def has_strips(self) -> bool:
        """Whether there are enough days to draw each language, version and country by itself."""
        return self.days >= STRIPS_FROM_DAYS


def periods_of(days: Sequence[date]) -> Periods:
    """The days one by one, or, where they span two weeks and more, the weeks that they lie in, from Mondays on."""
    dated = sorted({*days} - {UNKNOWN_DATE})
    if not dated:
        return Periods("day", [], 0)
    span_days = (dated[-1] - dated[0]).days + 1
    unit, step_days = ("week", 7) if span_days >= WEEKLY_FROM_DAYS else ("day", 1)
    begin = dated[0] - timedelta(days=dated[0].weekday() if unit == "week" else 0)
    names = [(begin + timedelta(days=n)).isoformat() for n in range(0, (dated[-1] - begin).days + 1, step_days)]
    return Periods(unit, names, span_days)


def add_periods(connection: duckdb.DuckDBPyConnection, periods: Periods) -> None:
    """Gives `facts` the column `period`: the name of the period in which a fact lies.

    As text, because periods of too few people go together as any cells do, under the same word.
    """
    connection.execute(f"""
        create or replace temp table facts as
        select *, strftime(date_trunc('{periods.unit}', received_date), '%Y-%m-%d') as {PERIOD} from facts
    """)
