"""What made-up lives amount to by kind: endings, and survival by method."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from pipelines.synthetic.edits import SURVIVAL_S
from pipelines.synthetic.event import Event
from pipelines.synthetic.lives import Fact, Life

KINDS = ("ghost_text", "next_edit", "inline_chat", "agent_edit")


def by_kind(lives: Iterable[Life]) -> dict[str, Any]:
    """Counts and sums of each kind's suggestions."""
    told = list(lives)
    return {kind: _of_kind([life for life in told if life.kind == kind]) for kind in KINDS}


def _of_kind(lives: list[Life]) -> dict[str, Any]:
    endings = [_ending(life) for life in lives]
    found: dict[str, Any] = {
        "suggestions": len(lives),
        "shown": sum(bool(life.displays) for life in lives),
        "outcomes": _counted(life.outcome for life in lives),
        "rejections": sum(_rejects(fact.event) for life in lives for fact in life.facts),
        "disposal_reasons": _counted(e.get("disposalReason", "") for e in endings),
        "superseded": sum("supersededByOpportunityId" in e for e in endings),
        "shown_ms": sum(f.event.measurements.get("shownDuration", 0) for life in lives for f in _ends(life)),
    }
    for check_s in SURVIVAL_S:
        states, sums = Counter[str](), Counter[str]()
        for life in lives:
            state, measured = survival(life, check_s)
            states[state] += 1
            sums.update(measured)
        found[f"survival_{check_s}s"] = dict(sorted(states.items()))
        found[f"measured_{check_s}s"] = {name: round(value, 6) for name, value in sorted(sums.items())}
    return found


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _rejects(event: Event) -> bool:
    if event.name == "inline.done":
        return not event.measurements["accepted"]
    said = event.properties
    return event.name in ("ghostText.rejected", "ghostText.dismissed") or "rejected" in (
        said.get("outcome"), said.get("acceptance"),
    )  # fmt: skip


def _ends(life: Life) -> list[Fact]:
    """Reports of the end of ghost text; of other kinds none are made."""
    of_kind = life.kind == "ghost_text"
    return sorted((f for f in life.told if of_kind and f.event.dataset == "endings"), key=lambda f: f.event.at_ms)


def twins_of(life: Life) -> list[Event]:
    """The reports that say of ghost text how it ended, and the one of a next edit; the last one holds."""
    return [f.event for f in (*life.facts, *_ends(life)) if f.event.name == "provideInlineEdit"]


def editor_reports_of(life: Life) -> list[Event]:
    """The editor's own reports of the end, of what was on the screen."""
    return [f.event for f in _ends(life) if f.event.measurements.get("shown")]


def _ending(life: Life) -> dict[str, str]:
    reports = twins_of(life)
    return reports[-1].properties if reports else {}


def survival(life: Life, check_s: int) -> tuple[str, dict[str, float]]:
    """Its state after so many seconds, not_due where it closed before; and what was measured."""
    reports = [f for f in (*life.facts, *life.told) if "timeDelayMs" in f.event.measurements]
    begin = _begin(life, reports)
    if begin is None or (life.kind == "ghost_text" and not reports):
        return "not_applicable", {}
    numbers = [f.event.measurements for f in reports if not f.event.measurements["didBranchChange"]]
    now = [n for n in numbers if n["timeDelayMs"] == check_s * 1000]
    if not now:
        return ("unobserved" if begin + timedelta(seconds=check_s) <= life.closed_at else "not_due"), {}
    return "observed", _measured(now)


def original_chars(life: Life) -> int | None:
    """Accepted characters as a report states them, else as the report at 0 s counts them."""
    reports = [f.event.measurements for f in (*life.facts, *life.told)]
    stated = [numbers["originalCharCount"] for numbers in reports if "originalCharCount" in numbers]
    at_once = survival(life, 0)[1].get("arc")
    return stated[0] if stated else None if at_once is None else int(at_once)


def _measured(now: list[dict[str, Any]]) -> dict[str, float]:
    measured: dict[str, float] = {}
    for name in ("survivalRateFourGram", "survivalRateNoRevert"):
        values = [n[name] for n in now if name in n]
        if values:
            measured[name] = sum(values) / len(values)
    chars = [n["arc"] for n in now if "originalCharCount" in n] or [n["arc"] for n in now if "arc" in n]
    return {**measured, **({"arc": chars[0]} if chars else {})}


def _begin(life: Life, reports: list[Fact]) -> datetime | None:
    if life.kind == "agent_edit" and reports:
        return min(f.received - timedelta(milliseconds=f.event.measurements["timeDelayMs"]) for f in reports)
    return life.decided.received if life.decided and life.outcome in ("accepted", "partially_accepted") else None
