"""The report's charts: Vega-Lite specifications.

Nothing is told by colour alone: bars bear their figures, and parts differ in lightness.
"""

from collections.abc import Iterable
from typing import Any

from pipelines.rates.kinds import AT_THE_CURSOR, GHOST_TEXT
from pipelines.reporting import texts
from pipelines.reporting.drawing import DARK, INK, LIGHT, NONE, cut, framed, text_px
from pipelines.reporting.figures import Figures, Rows
from pipelines.reporting.latency_chart import latency
from pipelines.reporting.time_charts import over_time, strips
from transforms.core.output.books import Books
from transforms.core.suggestions.persistence import CHECKS_S

_STEP_PX = 24
Spec = dict[str, Any]


def _bars(rows: Rows, label: str, after: list[str] | None = None) -> Spec:
    """Horizontal bars from `start` (else 0) on, of length `size`, named `name`, and with its `text` after its end.

    With `after`, `rows` are parts of bars, those of one bar named alike, and these texts stand behind the bars.
    """
    names = [*dict.fromkeys(row["name"] for row in rows)] if after else [row["name"] for row in rows]
    places = [names.index(row["name"]) for row in rows] if after else range(len(rows))
    drawn: Rows = [{"start": 0, "fill": DARK, **row, "nth": n} for n, row in zip(places, rows, strict=True)]
    for row in drawn:
        row |= {"end": row["start"] + row["size"], "told": f"{row['name']}: {row['text']}"}
    whole = max((row["end"] for row in drawn), default=0) or 1
    ends: Rows = [{"nth": n, "end": whole, "text": text} for n, text in enumerate(after)] if after else drawn
    behind = max((text_px(row["text"]) for row in ends), default=0)
    heads: Rows = [{"nth": n, "name": cut(name)} for n, name in enumerate(names)]
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [0, whole]}}
    y = {"field": "nth", "type": "ordinal", "axis": None}
    bar = {"x": {**x, "field": "start"}, "x2": {"field": "end"}, "y": y, "tooltip": {"field": "told"},
           "fill": {"field": "fill", "scale": None}, "description": {"field": "told"}}  # fmt: skip
    named = max((text_px(row["name"]) for row in heads), default=0)
    return {
        **framed(named + 6, behind + 8, _STEP_PX * max(1, len(names))),
        "description": label,
        "layer": [
            {"data": {"values": drawn}, "encoding": bar,
             "mark": {"type": "bar", "height": 15, "stroke": DARK, "strokeWidth": 1}},
            {"data": {"values": heads}, "mark": {"type": "text", "align": "right", "dx": -6},
             "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "name"}}},
            {"data": {"values": ends}, "mark": {"type": "text", "align": "left", "dx": 5},
             "encoding": {"x": {**x, "field": "end"}, "y": y, "text": {"field": "text"}}},
        ],
    }  # fmt: skip


def _one_after_another(parts: dict[str, int], fills: dict[str, str], text: Any) -> Rows:
    """Parts of a whole, each beginning where the one before it ends."""
    rows: Rows = []
    end = 0
    for name, size in parts.items():
        rows.append({"name": name, "start": end, "size": size, "text": text(name, size), "fill": fills.get(name, DARK)})
        end += size
    return rows


def _of(size: int, whole: int) -> str:
    return f"{size:,} ({size / whole:.1%})" if whole else f"{size:,}"


def fates(books: Books) -> Spec:
    """The ledger: what came in, and where every event of it went, each part beginning where the one before ends."""
    parts = {
        "landed": books.landed,
        "duplicate": books.duplicate,
        "withheld": books.withheld.total(),
        "outside the contract": books.outside_contract.total(),
        "quarantined": books.quarantined.total(),
    }
    received = {"name": "received", "size": books.events, "text": _of(books.events, books.events)}
    rows = _one_after_another(parts, {}, lambda _, size: _of(size, books.events))
    return _bars([received, *rows], "events received and where they went")


def funnel(row: dict[str, Any]) -> Spec:
    """From chances to suggest to what was accepted, and, of ghost text, what became of that after 30 s: of those that
    were looked at then, and beside them those that were not.
    """
    steps = [{"name": "chances", "size": row["opportunities"], "text": f"{row['opportunities']:,}"}]
    for name, before in (("shown", "opportunities"), ("accepted", "shown")):
        steps.append({"name": name, "size": row[name], "text": _of(row[name], row[before])})
    if row.get("observed_30s") is not None:
        seen, unchanged = row["observed_30s"], round((row["unchanged_30s_rate"] or 0) * row["observed_30s"])
        parts = {"unchanged, 30 s": unchanged, "changed, 30 s": seen - unchanged,
                 "not looked at": row["unobserved_30s"]}  # fmt: skip
        texts_of = {"not looked at": f"{row['unobserved_30s']:,}"}
        steps += _one_after_another(parts, {"changed, 30 s": LIGHT, "not looked at": NONE},
                                    lambda name, size: texts_of.get(name, _of(size, seen)))  # fmt: skip
    return _bars(steps, "acceptance funnel")


def persistence(ghost_text: dict[str, Any]) -> Spec:
    """What became of accepted suggestions that were looked at, in shares; beside, how many were and were not."""
    rows: Rows = []
    after = []
    for check_s in (s for s in CHECKS_S if ghost_text[f"observed_{s}s"] is not None):
        seen, unseen = ghost_text[f"observed_{check_s}s"], ghost_text[f"unobserved_{check_s}s"]
        after.append(f"{seen:,} + {unseen:,}")
        unchanged, mostly = (ghost_text[f"{n}_{check_s}s_rate"] or 0 for n in ("unchanged", "mostly_unchanged"))
        shares = {DARK: unchanged, LIGHT: mostly - unchanged, NONE: 1 - mostly if seen else 0}
        words = dict(zip(shares, ("unchanged", "mostly unchanged", "changed or removed"), strict=True))
        start = 0.0
        for fill, share in shares.items():
            rows.append({"name": texts.span(check_s * 1000), "start": start, "size": share, "fill": fill,
                         "text": f"{share:.1%} {words[fill]}"})  # fmt: skip
            start += share
    spec = _bars(rows, "what became of accepted ghost text", after)
    inside = [
        {"nth": n // 3, "inside": f"{row['size']:.0%}", "middle": row["start"] + row["size"] / 2,
         "ink": NONE if row["fill"] == DARK else INK}
        for n, row in enumerate(rows) if row["size"] > 0.15
    ]  # fmt: skip
    x = {"field": "middle", "type": "quantitative", "axis": None}
    spec["layer"].append({
        "data": {"values": inside}, "mark": {"type": "text"},
        "encoding": {"x": x, "y": {"field": "nth", "type": "ordinal", "axis": None}, "text": {"field": "inside"},
                     "color": {"field": "ink", "scale": None}},
    })  # fmt: skip
    return spec


def rates_by(rows: Rows, label: str) -> Spec:
    """Acceptance rate by a dimension."""
    return _bars(
        [{"name": r["value"], "size": r["acceptance_rate"], "text": f"{r['acceptance_rate']:.1%} of {r['shown']:,}"}
         for r in rows], label,
    )  # fmt: skip


def counts(rows: Iterable[tuple[str, int]], label: str) -> Spec:
    """Counts by name."""
    return _bars([{"name": name, "size": count, "text": f"{count:,}"} for name, count in rows], label)


def all_charts(figures: Figures, values: int) -> dict[str, Spec]:
    """Every chart of the page by its name; `values` is how many of a dimension are drawn. None is of several kinds."""
    specs = {"fates": fates(figures.books)}
    if figures.errors:
        specs["errors"] = counts(((f"{r['name']} {r['type']}".strip(), r["events"]) for r in figures.errors), "errors")
    if figures.redactions:
        specs["redactions"] = counts(((r["name"], r["events"]) for r in figures.redactions), "redactions")
    for kind in AT_THE_CURSOR:
        if (row := figures.kinds.get(kind)) and row["shown"]:
            specs |= _of_kind(figures, kind, row, values)
    for kind, rows in figures.over_time.items():
        if len({r["period"] for r in rows} & {*figures.periods.names}) > 1:
            specs[f"over_time_{kind}"] = over_time(rows, figures.periods, texts.words(kind))
    return specs


def _of_kind(figures: Figures, kind: str, row: dict[str, Any], values: int) -> dict[str, Spec]:
    specs = {f"funnel_{kind}": funnel(row)}
    if kind == GHOST_TEXT and any(row[f"observed_{s}s"] for s in CHECKS_S):
        specs["persistence"] = persistence(row)
    if kind in figures.latency:
        specs[f"latency_{kind}"] = latency(figures.latency[kind], row["latency_p50_ms"], texts.words(kind))
    for dimension, found in figures.by_dimension.items():
        rows = [r for r in found if r["kind"] == kind][:values]
        if rows:
            specs[f"by_{dimension}_{kind}"] = rates_by(rows, f"{texts.words(kind)}: acceptance rate by {dimension}")
        drawn = [r["value"] for r in rows]
        told = [r for r in figures.strips.get(dimension, ()) if r["kind"] == kind and r["value"] in drawn]
        if (chart := strips(told, drawn, figures.periods)) is not None:
            specs[f"strips_{dimension}_{kind}"] = chart
    return specs
