"""The rates of made-up data, counted the slow and obvious way: a second opinion on `pipelines.metrics`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from pipelines.synthetic.event import Event
from pipelines.synthetic.events import Person
from pipelines.synthetic.lives import Fact, Life

_CHECKS_S = (30, 120, 300, 600)
_OBSERVED = ("unchanged", "mostly_unchanged", "changed", "removed")
_TRACES = {"requests", "displays", "outcomes"}
_OF_CHAT = ("inline.done", "panel.edit.feedback", "edit.hunk.action")
_AT_THE_CURSOR = ("ghost_text", "next_edit")
"""Kinds that an editor shows by itself; edits that were asked for in words are in no count."""


class _Cell(NamedTuple):
    received_date: str
    language: str | None
    extension_version: str
    engine: str | None
    country: str | None


class _Seen:
    """What one cell holds."""

    def __init__(self) -> None:
        self.installations: set[str] = set()
        self.active: set[tuple[str, int]] = set()
        self.counts: dict[str, int] = defaultdict(int)
        self.lives: list[Life] = []


class TrueRates:
    """Events as they land, and the rates that follow."""

    def __init__(self) -> None:
        self._seen: dict[_Cell, _Seen] = defaultdict(_Seen)
        self._keys: dict[tuple[str, str], dict[date, list[Fact]]] = defaultdict(lambda: defaultdict(list))

    def land(self, someone: Person, event: Event, received: datetime) -> None:
        """Takes an event that landed, of any kind."""
        seen = self._seen[_cell(someone, event, received.date())]
        is_chat = event.name in _OF_CHAT
        if not is_chat and (event.dataset in _TRACES or _TRACES & {*event.mirrors}):
            seen.installations.add(someone.machine)
            seen.active.add((someone.machine, event.at_ms // 3_600_000))
            self._note("opportunities", "opportunityId", someone, event, received)
        if event.dataset == "requests":
            self._note("requests", "headerRequestId", someone, event, received)
        if event.dataset == "redactions" or (event.dataset == "errors" and event.name != "auth.new_token"):
            seen.installations.add(someone.machine)
            seen.counts[event.dataset] += 1

    def _note(self, count: str, name: str, someone: Person, event: Event, received: datetime) -> None:
        key = (count, event.properties[name])
        self._keys[key][received.date()].append(Fact(received, event, someone))

    def cells(self, lives: Iterable[Life]) -> list[dict[str, Any]]:
        """Every cell with all its counts and rates, sorted, unknown dimensions last. Call it once."""
        for key, days in self._keys.items():
            for day, facts in days.items():
                if day - timedelta(days=1) not in days:
                    first = min(facts, key=lambda f: (f.received, f.event.at_ms))
                    counts = self._seen[_cell(first.someone, first.event, day)].counts
                    counts[key[0]] += 1
                    counts[f"failed_{key[0]}"] += any(f.event.name == "request.error" for f in facts)
        for life in lives:
            if life.kind not in _AT_THE_CURSOR:
                continue
            shown_or_first = life.displays[0] if life.displays else _first(life)
            someone = life.facts[0].someone
            seen = self._seen[_cell(someone, shown_or_first, life.closed_at.date())]
            seen.installations.add(someone.machine)
            seen.lives.append(life)
        found = [(cell, seen) for cell, seen in self._seen.items() if seen.installations]
        found.sort(key=lambda each: [(value is None, value or "") for value in each[0]])
        return [{**cell._asdict(), **_rates(seen)} for cell, seen in found]


def _first(life: Life) -> Event:
    """Who and where come from the first outcome, else from the first check."""
    events = sorted((f.event for f in life.facts), key=lambda e: (e.dataset != "outcomes", e.at_ms))
    return events[0]


def _cell(someone: Person, event: Event, day: date) -> _Cell:
    said = event.properties
    language = said.get("languageId", said.get("activeDocumentLanguageId"))
    engine = said.get("engineName", said.get("modelName"))
    # Where somebody is, is told only of those who permit everything.
    country = someone.country if someone.level == "all" else None
    return _Cell(day.isoformat(), language, someone.extension_version, engine, country)


def _rates(seen: _Seen) -> dict[str, Any]:
    shown = [life for life in seen.lives if life.displays]
    accepted = [life for life in shown if life.outcome in ("accepted", "partially_accepted")]
    outcomes = [life.outcome for life in shown]
    chars = sum(map(_accepted_chars, accepted))
    requests, opportunities = seen.counts["requests"], seen.counts["opportunities"]
    rates: dict[str, Any] = {
        "installations": len(seen.installations),
        "opportunities": opportunities,
        "displays": sum(len(life.displays) for life in shown),
        "shown": len(shown),
        "suggestions_without_display": len(seen.lives) - len(shown),
        "accepted_full": outcomes.count("accepted"),
        "accepted_partial": outcomes.count("partially_accepted"),
        "rejected": outcomes.count("rejected"),
        "dismissed": outcomes.count("dismissed"),
        "no_outcome": outcomes.count("none"),
        "shown_rate": _over(len(shown), opportunities),
        "acceptance_rate": _over(len(accepted), len(shown)),
        "accepted_chars": chars,
        "active_hours": len(seen.active),
        "accepted_chars_per_active_hour": _over(chars, len(seen.active)),
        "requests": requests,
        "failed_requests": seen.counts["failed_requests"],
        "errors": seen.counts["errors"],
        "redactions": seen.counts["redactions"],
        "errors_per_1000_requests": _over(1000 * seen.counts["errors"], requests),
        "redactions_per_1000_requests": _over(1000 * seen.counts["redactions"], requests),
    }
    for check_s in _CHECKS_S:
        rates |= _persistence([life.state(check_s) for life in accepted], check_s)
    for name, measured in (("latency", map(_latency_ms, shown)), ("decision", map(_decision_ms, shown))):
        known = sorted(ms for ms in measured if ms is not None)
        rates |= {f"{name}_p{share}_ms": _percentile(known, share) for share in (50, 95)}
    return rates


def _persistence(states: Sequence[str], check_s: int) -> dict[str, Any]:
    observed, unchanged = sum(state in _OBSERVED for state in states), states.count("unchanged")
    return {
        f"observed_{check_s}s": observed,
        f"unobserved_{check_s}s": states.count("unobserved"),
        f"unchanged_{check_s}s_rate": _over(unchanged, observed),
        f"mostly_unchanged_{check_s}s_rate": _over(unchanged + states.count("mostly_unchanged"), observed),
    }


def _over(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _accepted_chars(life: Life) -> int:
    events = [f.event for f in life.facts if f.event.name == "ghostText.accepted"]
    return max((e.measurements["compCharLen"] for e in events), default=0)


def _latency_ms(life: Life) -> float | None:
    numbers = life.displays[0].measurements
    return numbers.get("timeSinceIssuedMs", numbers.get("fetchTime"))


def _decision_ms(life: Life) -> float | None:
    if life.decided is None or life.kind != "ghost_text":
        return None
    event = life.decided.event
    ms = event.measurements.get("timeSinceDisplayedMs", event.at_ms - life.displays[0].at_ms)
    return ms if ms >= 0 else None


def _percentile(values: Sequence[float], share: int) -> float | None:
    if not values:
        return None
    at = (len(values) - 1) * share / 100
    low = values[int(at)]
    return low + (values[min(int(at) + 1, len(values) - 1)] - low) * (at - int(at))
