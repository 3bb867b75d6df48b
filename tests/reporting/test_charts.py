"""Charts at nothing, one and huge counts: they are drawn, say their figures, and let no text be more than text."""

import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.reporting import charts
from pipelines.reporting.charts import counts, fates, funnel, persistence, rates_by
from pipelines.reporting.drawing import cut, draw
from pipelines.reporting.periods import periods_of
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
    """The rows of the bars."""
    found: list[dict[str, Any]] = spec["layer"][0]["data"]["values"]
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
def test_the_funnel_ends_with_what_was_looked_at_and_beside_it_what_was_not(size: int, rate: float | None) -> None:
    spec = funnel(overall(size, rate))
    unchanged = round((rate or 0) * size)
    assert [v["size"] for v in values(spec)] == [size, size, size, unchanged, size - unchanged, size]
    *_, kept, changed, unseen = values(spec)
    assert (kept["end"], changed["end"]) == (changed["start"], unseen["start"])
    assert len({v["fill"] for v in (kept, changed, unseen)}) == 3
    told = texts(draw(spec))
    assert f"{size:,}" in told
    if size:
        assert f"{unchanged:,} ({rate:.1%})" in told, "a share of what was looked at"


def test_the_funnel_of_a_kind_that_nobody_looks_at_later_ends_with_acceptance() -> None:
    row = {"opportunities": 4, "shown": 2, "accepted": 1, "observed_30s": None}
    assert {"4", "2 (50.0%)", "1 (50.0%)"} <= {*texts(draw(funnel(row)))}
    assert len(values(funnel(row))) == 3


@pytest.mark.parametrize(("size", "rate"), [(0, None), (1, 0.0), (1, 1.0), (10**15, 0.5)])
def test_persistence_is_of_what_was_looked_at_and_the_rest_stands_beside_it(size: int, rate: float | None) -> None:
    row = overall(size, rate)
    row["mostly_unchanged_30s_rate"] = rate if rate is None else (1 + rate) / 2
    parts = values(persistence(row))
    for check in range(len(CHECKS_S)):
        mine = parts[3 * check : 3 * check + 3]
        assert sum(p["size"] for p in mine) == pytest.approx(1 if size else 0)
        assert len({p["fill"] for p in mine}) == 3
    told = texts(draw(persistence(row)))
    assert told.count(f"{size:,} + {size:,}") == len(CHECKS_S)
    assert persistence({**row, "observed_15s": None})["height"] < persistence(row)["height"]


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.sampled_from(HOSTILE), st.integers(0, HUGE)), max_size=len(HOSTILE), unique_by=lambda r: r[0])
)
def test_names_are_texts_whatever_they_hold(rows: list[tuple[str, int]]) -> None:
    svg = draw(counts(rows, "of anything"))
    told = texts(svg)
    for name, count in rows:
        assert f"{count:,}" in told
        assert cut(name).strip() in {text.strip() for text in told}, (name, told)
    assert "<script" not in svg
    assert not re.search(r"(?:href|src)=|url\((?!#)", svg)


def test_longer_bars_are_of_larger_counts_and_one_that_is_nothing_has_no_length() -> None:
    svg = draw(counts([("none", 0), ("one", 1), ("two", 2), ("four", 4)], "x"))
    paths = [e.attrib["d"] for e in ElementTree.fromstring(svg).iter() if e.attrib.get("aria-roledescription") == "bar"]
    widths = [float(re.match(r"M0,[\d.]+h([\d.]+)", d)[1]) for d in paths]  # type: ignore[index]
    assert widths[1:] == pytest.approx([widths[3] / 4, widths[3] / 2, widths[3]])
    assert widths[0] == 0 < widths[1]


def test_bars_of_one_name_stand_apart() -> None:
    rows = values(counts([("same", 1), ("same", 2)], "x"))
    assert [row["nth"] for row in rows] == [0, 1]


def test_rates_are_shares_of_what_was_shown() -> None:
    rows = [
        {"value": "python", "acceptance_rate": 0.3344, "shown": 12345},
        {"value": "go", "acceptance_rate": 0.0, "shown": 1},
    ]
    assert {"33.4% of 12,345", "0.0% of 1"} <= {*texts(draw(rates_by(rows, "x")))}


def test_nothing_is_asked_of_a_network() -> None:
    asked = {"data": {"url": "http://127.0.0.1:9/x.json"}, "mark": "bar", "encoding": {"x": {"field": "a"}}}
    with pytest.raises(ValueError, match=r"(?i)access|allow|url|denied"):
        draw(asked)


def test_charts_of_what_is_not_there_are_left_out() -> None:
    class Nothing:
        books, errors, redactions, overall, kinds, over_time, periods = Books(), [], [], None, {}, {}, periods_of([])

    assert [*charts.all_charts(Nothing(), 10)] == ["fates"]  # type: ignore[arg-type]
