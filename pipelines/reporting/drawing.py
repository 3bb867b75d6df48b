"""What all charts of the page share: their width, room for texts, and how a specification becomes an SVG element.

Browsers set letters up to a fifth wider than those that a chart is laid out with here. So charts do not measure their
texts: each reserves as much room as the widest usual font takes.
"""

from typing import Any

import vl_convert

CHART_PX = 350
"""As wide as a phone's page; the page sets charts side by side where there is room."""

INK, DARK, LIGHT, NONE = "#1a1a1a", "#3b6ea5", "#a9c4de", "#ffffff"
"""Dark, light and white tell parts apart without colour, on paper, too."""

NAME_PX = 140
"""Longer names are cut."""

_FONT_PX = 12
_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[]/ -"), frozenset("mwMW%@+")
_CONFIG = {
    "font": "system-ui, sans-serif",
    "background": None,
    "view": {"stroke": None},
    "axis": {"labelFontSize": _FONT_PX, "titleFontSize": _FONT_PX, "labelColor": INK, "titleColor": INK,
             "labelLimit": 0, "titleFontWeight": "normal", "grid": False, "domain": False, "ticks": False},
    "mark": {"color": DARK},
    "text": {"fontSize": _FONT_PX, "color": INK},
    "header": {"labelFontSize": _FONT_PX, "labelColor": INK, "labelLimit": 0},
}  # fmt: skip


def complete(spec: dict[str, Any]) -> dict[str, Any]:
    """The specification with what all charts share, as Vega-Embed takes it, too."""
    return {**spec, "config": _CONFIG}


def draw(spec: dict[str, Any]) -> str:
    """The chart as an SVG element; texts in it are escaped. Asks no network."""
    return str(vl_convert.vegalite_to_svg(complete(spec), allowed_base_urls=[]))


def text_px(text: str) -> float:
    """How wide a text is at most, in the widest of the usual fonts."""
    return sum(map(_letter_px, text))


def _letter_px(letter: str) -> float:
    if letter in _NARROW:
        return 5.0
    if letter in _WIDE or not letter.isascii():
        return 12.5
    return 9.5 if letter.isupper() else 7.8


def cut(name: str, most_px: float = NAME_PX) -> str:
    """The name, or as much of it as there is room for."""
    if text_px(name) <= most_px:
        return name
    kept = ""
    for letter in name:
        if text_px(f"{kept}{letter}") > most_px - text_px("…"):
            break
        kept += letter
    return f"{kept}…"


def framed(
    left_px: float, right_px: float, height_px: float, *, top_px: float = 4, bottom_px: float = 4
) -> dict[str, Any]:
    """A chart of CHART_PX with so much room beside what is plotted; nothing is measured."""
    return {
        "width": max(40, round(CHART_PX - left_px - right_px)),
        "height": round(height_px),
        "autosize": "none",
        "padding": {"left": round(left_px), "right": round(right_px), "top": top_px, "bottom": bottom_px},
    }
