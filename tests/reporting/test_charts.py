"""Charts at nothing, one and huge counts: they are drawn, say their figures, and let no text be more than text."""

import re
from collections import Counter
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.reporting import charts
from pipelines.reporting.charts import counts, draw, fates, funnel, latency, over_time, persistence, rates_by
from transforms.core.output.books import Books
from transforms.core.suggestions.persistence import CHECKS_S

HUGE = 2**63 - 1
HOSTILE = [
    "<script>alert(1)</script>",
    "a & b",
    "\"'>",
    "]]>",
    "𝄞 漢字 עברית",
    "x" * 400,
    "",
    "\\u0000",
    "{{ 7*7 }}",
    "datum.name",
]


def texts(svg: str) -> list[str]:
    """The texts that are drawn; fails where it is no XML."""
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text")]


def books(landed: int, duplicate: int, withheld: int, outside: int, quarantined: int) -> Books:
    made = Books()
    made.landed, made.duplicate = landed, duplicate
    made.withheld, made.outside_contract = Counter({"off": withheld}), Counter({"other": outside})
    made.quarantined = Counter({"invalid_event": quarantined})
    made.events = landed + duplicate + withheld + outside + quarantined
    return made


def values(spec: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = spec["data"]["values"]
    return found


@given(st.tuples(*[st.integers(0, 10**12)] * 5))
def test_each_fate_begins_where_the_one_before_ended_and_the_last_where_everything_does(sizes: tuple[int, ...]) -> None:
    received, *parts = values(fates(books(*sizes)))
    assert (received["start"], received["end"]) == (0, sum(sizes))
    assert [p["size"] for p in parts] == list(sizes)
    end = 0
    for part in parts:
        assert (part["start"], part["end"]) == (end, end + part["size"])
        end = part["end"]
    assert end == received["end"]


@pytest.mark.parametrize("size", [0, 1, HUGE])
def test_fates_are_drawn_of_nothing_one_and_more_than_can_be_counted(size: int) -> None:
    told = texts(draw(fates(books(size, 0, 0, 0, 0))))
    share = " (100.0%)" if size else ""
    assert told.count(f"{size:,}{share}") == (2 if size else 6)
    assert {"received", "landed", "quarantined"} <= {*told}
    assert not any("nan" in text.lower() or "inf" in text.lower() for text in told)


def overall(size: int, rate: float | None) -> dict[str, Any]:
    checks = {f"{kind}_{s}s": size for s in CHECKS_S for kind in ("observed", "unobserved")}
    shares = {f"{kind}_{s}s_rate": rate for s in CHECKS_S for kind in ("unchanged", "mostly_unchanged")}
    return {"opportunities": size, "shown": size, "accepted": size, "latency_p50_ms": rate, **checks, **shares}


@pytest.mark.parametrize(("size", "rate"), [(0, None), (1, 1.0), (1, 0.0), (10**15, 0.25)])
def test_the_funnel_says_its_steps(size: int, rate: float | None) -> None:
    spec = funnel(overall(size, rate))
    assert [v["size"] for v in values(spec)] == [size, size, size, round((rate or 0) * size)]
    assert f"{size:,}" in texts(draw(spec))


@pytest.mark.parametrize(("size", "rate"), [(0, None), (1, 0.0), (1, 1.0), (10**15, 0.5)])
def test_persistence_has_a_point_for_each_check_that_was_due_and_none_for_nothing(
    size: int, rate: float | None
) -> None:
    spec = persistence(overall(size, rate))
    points = values(spec)
    assert len(points) == (3 * len(CHECKS_S) if size else 0)
    assert all(0 <= p["share"] <= 1 for p in points)
    assert {p["share"] for p in points if p["what"] == "unobserved"} <= {0.5}
    assert "seconds after acceptance" in texts(draw(spec))


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.sampled_from(HOSTILE), st.integers(0, HUGE)), max_size=len(HOSTILE), unique_by=lambda r: r[0])
)
def test_names_are_texts_whatever_they_hold(rows: list[tuple[str, int]]) -> None:
    svg = draw(counts(rows, "of anything"))
    told = texts(svg)
    for name, count in rows:
        assert f"{count:,}" in told
        shown = [t for t in told if t and (name.startswith(t.rstrip("…")) or t == name)]
        assert shown or not name, (name, told)
    assert "<script" not in svg
    assert not re.search(r"(?:href|src)=|url\((?!#)", svg)


def test_longer_bars_are_of_larger_counts_and_one_that_is_nothing_has_no_length() -> None:
    svg = draw(counts([("none", 0), ("one", 1), ("two", 2), ("four", 4)], "x"))
    paths = [e.attrib["d"] for e in ElementTree.fromstring(svg).iter() if e.attrib.get("aria-roledescription") == "bar"]
    widths = [float(re.match(r"M0,[\d.]+h([\d.]+)", d)[1]) for d in paths]  # type: ignore[index]
    assert widths == [0, 50, 100, 200]


def test_rates_are_shares_of_what_was_shown() -> None:
    rows = [
        {"value": "python", "acceptance_rate": 0.3344, "shown": 12345},
        {"value": "go", "acceptance_rate": 0.0, "shown": 1},
    ]
    assert {"33.4% of 12,345", "0.0% of 1"} <= {*texts(draw(rates_by(rows, "x")))}


def test_latency_names_each_span_and_the_last_is_open() -> None:
    rows = [
        {"from_ms": 0, "to_ms": 50, "shown": 0},
        {"from_ms": 3000, "to_ms": 5000, "shown": 7},
        {"from_ms": 5000, "to_ms": None, "shown": 1},
    ]
    spec = latency(rows, {"latency_p50_ms": None})
    assert [v["name"] for v in values(spec)] == ["0 to 50 ms", "3,000 to 5,000 ms", "5,000 ms and more"]
    draw(spec)


@pytest.mark.parametrize("days", [1, 2, 400])
def test_days_are_drawn_in_order_a_strip_for_each_value(days: int) -> None:
    rows = [
        {"received_date": date(2026, 1, 1) + timedelta(days=n), "acceptance_rate": n / days, "value": value}
        for n in range(days) for value in ("<b>go</b>", "rust")
    ]  # fmt: skip
    svg = draw(over_time(rows, ["rust", "<b>go</b>"]))
    told = texts(svg)
    assert told.index("rust") < told.index("<b>go</b>")
    assert "2026-01-01" in told
    assert "<b>" not in svg


def test_nothing_is_asked_of_a_network() -> None:
    asked = {"data": {"url": "http://127.0.0.1:9/x.json"}, "mark": "bar", "encoding": {"x": {"field": "a"}}}
    with pytest.raises(ValueError, match=r"(?i)access|allow|url|denied"):
        draw(asked)


def test_charts_of_what_is_not_there_are_left_out() -> None:
    class Nothing:
        books, errors, redactions, overall, kinds = Books(), [], [], None, {}

    assert [*charts.all_charts(Nothing(), 10)] == ["fates"]  # type: ignore[arg-type]
