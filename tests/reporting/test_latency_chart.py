"""The picture of latency: from ms to minutes, its bars told in words, its lines where they belong."""

import itertools
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from pipelines.reporting.drawing import draw
from pipelines.reporting.latency import edge_ms
from pipelines.reporting.latency_chart import latency, told


def bins(*edges: int) -> list[dict[str, Any]]:
    return [
        {"from_ms": edge_ms(low), "to_ms": edge_ms(high), "shown": high - low, "density": 1 / (n + 1)}
        for n, (low, high) in enumerate(itertools.pairwise(edges))
    ]


@pytest.mark.parametrize(
    ("edges", "ticks"),
    [
        ((16, 20, 24), ["100 ms", "200 ms", "500 ms", "1 s"]),
        ((0, 20, 30, 56), ["1 ms", "100 ms", "10 s", "10 min"]),
        ((32, 36, 40), ["10 s", "30 s", "1 min"]),
    ],
)
def test_ticks_are_told_in_the_unit_that_fits(edges: tuple[int, ...], ticks: list[str]) -> None:
    svg = ElementTree.fromstring(draw(latency(bins(*edges), None, "ghost text")))
    texts = ["".join(e.itertext()) for e in svg.iter() if e.tag.endswith("text")]
    assert [t for t in texts if re.fullmatch(r"[\d.]+ (ms|s|min|h)", t)] == ticks


def test_lines_stand_at_the_median_and_at_5_s_where_bars_reach_them() -> None:
    def lines(edges: tuple[int, ...], median_ms: float | None) -> list[str]:
        svg = ElementTree.fromstring(draw(latency(bins(*edges), median_ms, "x")))
        return [t.replace("\N{NO-BREAK SPACE}", " ") for e in svg.iter() for t in e.itertext()
                if e.tag.endswith("text") and t.replace("\N{NO-BREAK SPACE}", " ") in ("median", "5 s")]  # fmt: skip

    assert lines((0, 24), 437.0) == ["median"]
    assert lines((0, 40), 437.0) == ["median", "5 s"]
    assert lines((0, 8), None) == []


def test_bars_say_what_they_are() -> None:
    made = bins(16, 17, 24)
    words = [told(b, 8).replace("\N{NO-BREAK SPACE}", " ") for b in made]
    assert words == ["100 ms to 133 ms: 1 (12.5%)", "133 ms to 1 s: 7 (87.5%)"]
    svg = draw(latency(made, None, "ghost text"))
    assert all(f'aria-label="{told(b, 8)}"' in svg for b in made)
