"""Charts over time, by day or by week."""

from typing import Any

from pipelines.reporting.drawing import CHART_PX, DARK, text_px
from pipelines.reporting.figures import Rows
from pipelines.reporting.periods import Periods

_AXIS_PX = round(text_px("99.9k")) + 6
_LAST_DAY_PX = 24
_DAY_LABEL = "utcFormat(toDate(datum.value), '%-d %b')"
_MARGIN = 0.02
"""Space above and below rates, and the least that an axis shows: half a percent is no mountain."""


def over_time(rows: Rows, periods: Periods, kind: str) -> dict[str, Any]:
    """Acceptance and, below it, the volume that it is a share of, in every period there is; none where too few were."""
    found = {row["period"]: row for row in rows}
    values: Rows = [
        {"period": name, "rate": row.get("acceptance_rate"), "volume": row.get("volume"), "told": _told(name, row)}
        for name in periods.names for row in (found.get(name, {}),)
    ]  # fmt: skip
    rates = [value["rate"] for value in values if value["rate"] is not None]
    y = {"type": "quantitative", "title": None}
    rate = {"y": {**y, "field": "rate", "axis": _axis(format=".0%", tickCount=3), "scale": _scaled_to(rates)},
            "x": _x(periods, axis=None)}  # fmt: skip
    volume = {"y": {**y, "field": "volume", "axis": _axis(format="~s", tickCount=3)}, "x": _x(periods)}
    line = {"type": "line", "color": DARK, "point": {"color": DARK, "size": 40}}
    return {
        **_frame(f"{kind} over time"),
        "data": {"values": values},
        "vconcat": [
            {**_panel(80), "mark": line, "encoding": {**rate, **_TOLD}},
            {**_panel(60), "mark": {"type": "bar", "color": DARK}, "encoding": {**volume, **_TOLD}},
        ],
    }


def strips(rows: Rows, order: list[str], periods: Periods) -> dict[str, Any] | None:
    """Acceptance rate over time, a strip for each value that has more than one period, all on one scale; or nothing."""
    found = {(row["value"], row["period"]): row for row in rows}
    drawn = [value for value in order if sum((value, name) in found for name in periods.names) > 1]
    if not drawn:
        return None
    values: Rows = [
        {"period": name, "value": value, "rate": row.get("acceptance_rate"), "told": _told(name, row)}
        for value in drawn for name in periods.names for row in (found.get((value, name), {}),)
    ]  # fmt: skip
    rates = [value["rate"] for value in values if value["rate"] is not None]
    y = {"field": "rate", "type": "quantitative", "title": None, "axis": _axis(format=".0%", tickCount=2),
         "scale": _scaled_to(rates)}  # fmt: skip
    return {
        **_frame("acceptance rate over time"),
        "data": {"values": values},
        "facet": {"row": {"field": "value", "type": "nominal", "title": None, "sort": drawn,
                          "header": {"labelOrient": "top", "labelAnchor": "start", "labelPadding": 3}}},
        "spacing": 14,
        "spec": {
            **_panel(32),
            "mark": {"type": "line", "color": DARK, "point": {"color": DARK, "size": 30}},
            "encoding": {"x": _x(periods), "y": y, **_TOLD},
        },
    }  # fmt: skip


_TOLD = {"tooltip": {"field": "told"}, "description": {"field": "told"}}


def _told(name: str, row: dict[str, Any]) -> str:
    if not row:
        return f"{name}: too few installations"
    of = f" of {row['volume']:,}" if "volume" in row else ""
    return f"{name}: {row['acceptance_rate']:.1%}{of}"


def _frame(label: str) -> dict[str, Any]:
    return {"description": label, "padding": {"left": 0, "right": _LAST_DAY_PX, "top": 4, "bottom": 4}}


def _panel(height_px: int) -> dict[str, Any]:
    return {"width": CHART_PX - _AXIS_PX - _LAST_DAY_PX, "height": height_px}


def _axis(**more: Any) -> dict[str, Any]:
    return {"grid": True, "minExtent": _AXIS_PX, "maxExtent": _AXIS_PX, **more}


def _x(periods: Periods, **more: Any) -> dict[str, Any]:
    axis = {"labelAngle": 0, "labelExpr": _DAY_LABEL, "labelOverlap": "greedy", "labelSeparation": 12}
    return {
        "field": "period",
        "type": "ordinal",
        "title": None,
        "scale": {"domain": periods.names},
        "axis": axis,
        **more,
    }


def _scaled_to(rates: list[float]) -> dict[str, Any]:
    domain = [max(0.0, min(rates) - _MARGIN), min(1.0, max(rates) + _MARGIN)] if rates else [0, 1]
    return {"domain": domain, "nice": True, "zero": False}
