"""The report's charts: Vega-Lite specifications, drawn to SVG.

Each is as wide as a phone; the page sets them side by side where there is room.
Nothing is told by colour alone: bars bear their figures, lines their names and
dashes of their own.
"""

from collections.abc import Iterable
from typing import Any

import vl_convert

from pipelines.rates.kinds import GHOST_TEXT
from pipelines.reporting.figures import Figures, Rows
from transforms.core.output.books import Books
from transforms.core.suggestions.persistence import CHECKS_S

_WIDTH_PX = 200
_INK, _BAR = "#1a1a1a", "#3b6ea5"
_CONFIG = {
    "font": "sans-serif",
    "background": None,
    "view": {"stroke": None},
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "labelColor": _INK, "titleColor": _INK, "labelLimit": 110,
             "titleFontWeight": "normal", "grid": False, "domain": False, "ticks": False},
    "mark": {"color": _BAR},
    "range": {"category": [_BAR]},
    "text": {"fontSize": 12, "color": _INK},
    "legend": {"labelFontSize": 12, "labelColor": _INK, "symbolStrokeColor": _BAR},
    "header": {"labelFontSize": 12, "labelColor": _INK, "labelLimit": 110},
}  # fmt: skip


def draw(spec: dict[str, Any]) -> str:
    """The chart as an SVG element; texts in it are escaped. Asks no network."""
    return str(vl_convert.vegalite_to_svg({**spec, "config": _CONFIG}, allowed_base_urls=[]))


def _bars(rows: Rows, label: str, *, start: str | None = None) -> dict[str, Any]:
    """Horizontal bars of `size` by `name`, each with its text after it."""
    scale = {"domain": [0, max((r[start or "zero"] + r["size"] if start else r["size"] for r in rows), default=0) or 1]}
    name = {"field": "name", "type": "nominal", "sort": None, "title": None}
    begin = {"x": {"field": start or "size", "type": "quantitative", "axis": None, "scale": scale}}
    bar = {"y": name, **begin, **({"x2": {"field": "end"}} if start else {})}
    end = {"y": name, "x": {"field": "end" if start else "size", "type": "quantitative"}, "text": {"field": "text"}}
    return {
        "width": _WIDTH_PX,
        "height": {"step": 24},
        "description": label,
        "data": {"values": rows},
        "layer": [
            {"mark": {"type": "bar", "color": _BAR, "height": 15}, "encoding": bar},
            {"mark": {"type": "text", "align": "left", "dx": 4}, "encoding": end},
        ],
    }


def fates(books: Books) -> dict[str, Any]:
    """The ledger: what came in, and where every event of it went, each part beginning where the one before ends."""
    parts = {
        "landed": books.landed,
        "duplicate": books.duplicate,
        "withheld": books.withheld.total(),
        "outside the contract": books.outside_contract.total(),
        "quarantined": books.quarantined.total(),
    }
    rows, end = [_fate("received", 0, books.events, books.events)], 0
    for name, size in parts.items():
        rows.append(_fate(name, end, size, books.events))
        end += size
    return _bars(rows, "events received and where they went", start="start")


def _fate(name: str, start: int, size: int, whole: int) -> dict[str, Any]:
    share = f" ({size / whole:.1%})" if whole else ""
    return {"name": name, "start": start, "size": size, "end": start + size, "text": f"{size:,}{share}"}


def funnel(ghost_text: dict[str, Any]) -> dict[str, Any]:
    """From chances to suggest to code that stayed."""
    kept = round((ghost_text["unchanged_30s_rate"] or 0) * ghost_text["observed_30s"])
    steps = {**{n: ghost_text[n] for n in ("opportunities", "shown", "accepted")}, "unchanged, 30 s": kept}
    return _bars([{"name": n, "size": s, "text": f"{s:,}"} for n, s in steps.items()], "acceptance funnel")


def rates_by(rows: Rows, label: str) -> dict[str, Any]:
    """Acceptance rate by a dimension."""
    return _bars(
        [{"name": r["value"], "size": r["acceptance_rate"],
          "text": f"{r['acceptance_rate']:.1%} of {r['shown']:,}"} for r in rows],
        label,
    )  # fmt: skip


def counts(rows: Iterable[tuple[str, int]], label: str) -> dict[str, Any]:
    """Counts by name."""
    return _bars([{"name": name, "size": count, "text": f"{count:,}"} for name, count in rows], label)


def persistence(ghost_text: dict[str, Any]) -> dict[str, Any]:
    """Shares of accepted suggestions over the time since: of the observed ones, and how many were not observed."""
    values = []
    for check_s in CHECKS_S:
        observed, unobserved = ghost_text[f"observed_{check_s}s"], ghost_text[f"unobserved_{check_s}s"]
        shares = {
            "mostly unchanged": ghost_text[f"mostly_unchanged_{check_s}s_rate"],
            "unchanged": ghost_text[f"unchanged_{check_s}s_rate"],
            "unobserved": unobserved / (observed + unobserved) if observed + unobserved else None,
        }
        values += [{"s": check_s, "share": v, "what": n} for n, v in shares.items() if v is not None]
    x = {"field": "s", "type": "quantitative", "title": "seconds after acceptance",
         "scale": {"type": "log", "domain": [12, 600]}, "axis": {"values": list(CHECKS_S)}}  # fmt: skip
    y = {"field": "share", "type": "quantitative", "title": None, "scale": {"domain": [0, 1]},
         "axis": {"format": ".0%", "grid": True, "tickCount": 5}}  # fmt: skip
    domain = ["mostly unchanged", "unchanged", "unobserved"]
    what = {"field": "what", "type": "nominal",
            "legend": {"title": None, "orient": "bottom", "columns": 1, "symbolSize": 120}}  # fmt: skip
    dash = {**what, "scale": {"domain": domain, "range": [[1, 0], [8, 3], [2, 3]]}}
    shape = {**what, "scale": {"domain": domain, "range": ["circle", "square", "triangle-up"]}}
    return {
        "width": _WIDTH_PX + 60,
        "height": 200,
        "data": {"values": values},
        "encoding": {"x": x, "y": y},
        "layer": [
            {"mark": {"type": "line", "color": _BAR}, "encoding": {"strokeDash": dash}},
            {"mark": {"type": "point", "filled": True, "size": 45, "color": _BAR}, "encoding": {"shape": shape}},
        ],
    }


def over_time(rows: Rows, order: list[str]) -> dict[str, Any]:
    """Acceptance rate day by day, a strip for each value."""
    kept = [{"day": r["received_date"].isoformat(), "rate": r["acceptance_rate"], "value": r["value"]}
            for r in rows]  # fmt: skip
    return {
        "data": {"values": kept},
        "facet": {"row": {"field": "value", "type": "nominal", "title": None, "sort": order,
                          "header": {"labelAngle": 0, "labelAlign": "left"}}},
        "spacing": 18,
        "spec": {
            "width": _WIDTH_PX,
            "height": 36,
            "mark": {"type": "line", "point": True, "color": _BAR},
            "encoding": {
                "x": {"field": "day", "type": "ordinal", "title": None,
                      "axis": {"labelAngle": 0, "labelOverlap": True}},
                "y": {"field": "rate", "type": "quantitative", "title": None, "scale": {"domain": [0, 1]},
                      "axis": {"format": ".0%", "values": [0, 1], "grid": True}},
            },
        },
    }  # fmt: skip


def latency(rows: Rows, ghost_text: dict[str, Any]) -> dict[str, Any]:
    """Shown suggestions by the time from asking to showing, with median and 95th percentile as figures on the page."""
    return counts([(_span(r), r["shown"]) for r in rows], f"latency, median {ghost_text['latency_p50_ms']}")


def _span(row: dict[str, Any]) -> str:
    return f"{row['from_ms']:,} ms and more" if row["to_ms"] is None else f"{row['from_ms']:,} to {row['to_ms']:,} ms"


def all_charts(figures: Figures, values: int) -> dict[str, str]:
    """Every chart of the page by its name; `values` is how many of a dimension are drawn. Rates are of ghost text."""
    specs = {"fates": fates(figures.books)}
    if figures.errors:
        specs["errors"] = counts(((f"{r['name']} {r['type']}".strip(), r["events"]) for r in figures.errors), "errors")
    if figures.redactions:
        specs["redactions"] = counts(((r["category"], r["events"]) for r in figures.redactions), "redactions")
    ghost_text = figures.kinds.get(GHOST_TEXT)
    if ghost_text and ghost_text["shown"]:
        specs["funnel"] = funnel(ghost_text)
        specs["persistence"] = persistence(ghost_text)
        specs["latency"] = latency(figures.latency, ghost_text)
        for dimension, found in figures.by_dimension.items():
            rows = [r for r in found if r["kind"] == GHOST_TEXT][:values]
            specs[f"by_{dimension}"] = rates_by(rows, f"acceptance rate by {dimension}")
            drawn = [r["value"] for r in rows]
            over_days = (r for r in figures.over_time[dimension] if r["kind"] == GHOST_TEXT)
            by_day = [r for r in over_days if r["value"] in drawn]
            if len({r["received_date"] for r in by_day}) > 1:
                specs[f"over_time_{dimension}"] = over_time(by_day, drawn)
    return {name: draw(spec) for name, spec in specs.items()}
