"""Latency as a picture: the area of a bar is the share of suggestions that came in its time."""

from math import log10
from typing import Any

from pipelines.reporting import texts
from pipelines.reporting.drawing import INK, framed, text_px
from pipelines.reporting.latency import SLOW_MS, Bins

_TICKS_MS = (1, 10, 100, 1000, 10_000, 60_000, 600_000, 3_600_000)
_FINE_TICKS_MS = (
    *(n * power for power in (1, 10, 100, 1000) for n in (1, 2, 5)), 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
)  # fmt: skip
_LABEL_PX = text_px("100 ms") + 6


def latency(bins: Bins, median_ms: float | None, kind: str) -> dict[str, Any]:
    """The bins on a logarithmic axis from the first to the last, with lines at the median and at SLOW_MS."""
    whole = sum(b["shown"] for b in bins)
    low_ms, high_ms = bins[0]["from_ms"], bins[-1]["to_ms"]
    rows = [{**b, "zero": 0, "told": told(b, whole)} for b in bins]
    x = {"type": "quantitative", "scale": {"type": "log", "domain": [low_ms, high_ms], "nice": False}}
    frame = framed(text_px("100 ms") / 2, text_px("10 min"), 150, top_px=18, bottom_px=24)
    axis = {"values": _ticks(low_ms, high_ms, frame["width"]), "labelExpr": _LABELS, "labelOverlap": False,
            "title": None, "ticks": True, "domain": True}  # fmt: skip
    lines = {"median": median_ms, texts.span(SLOW_MS): SLOW_MS}
    drawn = [{"at": at, "name": name} for name, at in lines.items() if at and low_ms < at < high_ms]
    bar = {"x": {**x, "field": "from_ms", "axis": axis}, "x2": {"field": "to_ms"},
           "y": {"field": "density", "type": "quantitative", "axis": None, "scale": {"zero": True}},
           "y2": {"field": "zero"}, "tooltip": {"field": "told"}, "description": {"field": "told"}}  # fmt: skip
    at = {"x": {**x, "field": "at"}}
    return {
        **frame,
        "description": f"latency of {kind}",
        "layer": [
            {"data": {"values": rows}, "mark": {"type": "bar", "stroke": "white", "strokeWidth": 1}, "encoding": bar},
            {"data": {"values": drawn}, "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3]}, "encoding": at},
            {"data": {"values": drawn}, "mark": {"type": "text", "align": "left", "dx": 4, "y": -8},
             "encoding": {**at, "text": {"field": "name"}}},
        ],
    }  # fmt: skip


def told(found: dict[str, Any], whole: int) -> str:
    """A bin in words: `100 ms to 133 ms: 43 (3.7%)`."""
    return (
        f"{texts.span(found['from_ms'])} to {texts.span(found['to_ms'])}: {found['shown']:,} "
        f"({found['shown'] / whole:.1%})"
    )


_LABELS = (
    "datum.value < 1000 ? datum.value + ' ms' : datum.value < 60000 ? datum.value / 1000 + ' s' : "
    "datum.value < 3600000 ? datum.value / 60000 + ' min' : datum.value / 3600000 + ' h'"
)


def _ticks(low_ms: float, high_ms: float, plot_px: float) -> list[int]:
    """Fine ticks where all have room beside each other, else as many of the coarse ones as have."""
    fine = [tick for tick in _FINE_TICKS_MS if low_ms <= tick <= high_ms]
    if len(fine) > 1 and _spaced(fine, low_ms, high_ms, plot_px) == fine:
        return fine
    return _spaced([tick for tick in _TICKS_MS if low_ms <= tick <= high_ms], low_ms, high_ms, plot_px)


def _spaced(ticks: list[int], low_ms: float, high_ms: float, plot_px: float) -> list[int]:
    of_decade_px = plot_px / log10(high_ms / low_ms)
    kept: list[int] = []
    for tick in ticks:
        if not kept or log10(tick / kept[-1]) * of_decade_px >= _LABEL_PX:
            kept.append(tick)
    return kept
