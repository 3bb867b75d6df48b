"""Charts over time: every period has its place, gaps stay gaps, axes are scaled to the data."""

from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from pipelines.reporting.drawing import draw
from pipelines.reporting.periods import periods_of
from pipelines.reporting.time_charts import over_time, strips

FIRST = date(2026, 1, 5)


def texts(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text")]


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=n) for n in range(count)]


def values(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return spec["data"]["values"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("count", [2, 13, 14, 400])
def test_every_period_has_a_place_and_one_without_enough_people_no_figure(count: int) -> None:
    periods = periods_of(days(count))
    rows = [{"period": name, "acceptance_rate": 0.3, "volume": 1000} for name in periods.names[::2]]
    spec = over_time([{"period": "(merged)", "acceptance_rate": 0.9, "volume": 7}, *rows], periods, "x")
    assert [v["period"] for v in values(spec)] == periods.names
    assert [v["rate"] is not None for v in values(spec)] == [n % 2 == 0 for n in range(len(periods.names))]
    assert 0.9 not in [v["rate"] for v in values(spec)], "what was put together is of no period"
    told = texts(draw(spec))
    assert "5 Jan" in told
    assert "1k" in told


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.3), (0.3, 0.31), (0.0, 1.0), (0.3, 0.6)])
def test_rates_are_scaled_to_the_data(low: float, high: float) -> None:
    periods = periods_of(days(2))
    rates = dict(zip(periods.names, (low, high), strict=True))
    rows = [{"period": n, "acceptance_rate": r, "volume": 1} for n, r in rates.items()]
    begin, end = over_time(rows, periods, "x")["vconcat"][0]["encoding"]["y"]["scale"]["domain"]
    assert 0 <= begin <= low <= high <= end <= 1
    assert end - begin <= high - low + 0.041


def test_a_strip_for_each_value_of_several_periods_in_order() -> None:
    periods = periods_of(days(3))
    rows = [{"period": name, "value": value, "acceptance_rate": n / 4}
            for value in ("<b>go</b>", "rust") for n, name in enumerate(periods.names)]  # fmt: skip
    rows.append({"period": periods.names[0], "value": "seen once", "acceptance_rate": 0.1})
    spec = strips(rows, ["rust", "seen once", "<b>go</b>"], periods)
    assert spec is not None
    told = texts(draw(spec))
    assert told.index("rust") < told.index("<b>go</b>")
    assert "seen once" not in told
    assert "<b>" not in draw(spec)
    assert strips(rows[-1:], ["seen once"], periods) is None
