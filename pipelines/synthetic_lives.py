"""The lives of made-up suggestions, joined the slow and obvious way: a second opinion on JoinSuggestions."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pipelines.synthetic_events import CHECKS_S, Event

HORIZON = timedelta(minutes=30)
_OUTCOMES = {"ghostText.accepted": "accepted", "ghostText.rejected": "rejected", "ghostText.dismissed": "dismissed"}
_PRECEDENCE = ("accepted", "partially_accepted", "dismissed", "rejected")


class _Fact(NamedTuple):
    received: datetime
    event: Event


class TrueLives:
    """Facts of suggestions as they land, and what they amount to when no other comes.

    A life ends where nothing comes for the default horizon; what comes after it is
    late, as no generated upload is late by as much as the default lookback.
    """

    def __init__(self) -> None:
        self._facts: dict[str, list[_Fact]] = defaultdict(list)

    def land(self, event: Event, received: datetime) -> None:
        """Takes an event that landed, of any kind."""
        next_edit = event.name == "provideInlineEdit"
        key = event.properties.get("headerRequestId" if next_edit else "clientCompletionId")
        if key and {event.dataset, *event.mirrors} & {"displays", "outcomes", "persistence_checks"}:
            self._facts[key].append(_Fact(received, event))

    def as_json(self, clock: datetime | None) -> dict[str, Any]:
        """Counts over all suggestions, those still open at the clock closed there."""
        outcomes, late = Counter[str](), 0
        persistence: dict[int, Counter[str]] = {check_s: Counter() for check_s in CHECKS_S}
        shown = displays = 0
        for facts in self._facts.values():
            life = _life(facts)
            for fact in facts[len(life) :]:
                late += 1 + ("displays" in fact.event.mirrors)
            outcome, decided = _outcome(life)
            outcomes[outcome] += 1
            count = sum(_is_display(f.event) for f in life)
            shown, displays = shown + (count > 0), displays + count
            closed_at = min(life[-1].received + HORIZON, clock or life[-1].received)
            for check_s in CHECKS_S:
                persistence[check_s][_state(life, check_s, outcome, decided, closed_at)] += 1
        return {
            "suggestions": len(self._facts),
            "shown": shown,
            "displays": displays,
            "outcomes": dict(sorted(outcomes.items())),
            "persistence": {str(s): dict(sorted(c.items())) for s, c in persistence.items()},
            "late": late,
        }


def _life(facts: list[_Fact]) -> list[_Fact]:
    facts.sort(key=lambda f: f.received)
    life = facts[:1]
    for fact in facts[1:]:
        if fact.received - life[-1].received > HORIZON:
            break
        life.append(fact)
    return life


def _is_display(event: Event) -> bool:
    return "displays" in (event.dataset, *event.mirrors)


def _outcome(life: list[_Fact]) -> tuple[str, _Fact | None]:
    found: dict[str, _Fact] = {}
    for fact in sorted(life, key=lambda f: f.event.at_ms):
        found.setdefault(_kind(fact.event), fact)
    return next(((kind, found[kind]) for kind in _PRECEDENCE if kind in found), ("none", None))


def _kind(event: Event) -> str:
    if event.name == "ghostText.accepted" and event.properties["compType"] == "partial":
        return "partially_accepted"
    return _OUTCOMES.get(event.name) or event.properties.get("acceptance", "")


def _state(life: list[_Fact], check_s: int, outcome: str, decided: _Fact | None, closed_at: datetime) -> str:
    if decided is None or outcome not in ("accepted", "partially_accepted"):
        return "not_applicable"
    for fact in life:
        if fact.event.measurements.get("timeout") == check_s:
            ratio = fact.event.measurements["relativeLexEditDistance"]
            words = ((ratio == 0, "unchanged"), (ratio < 0.33, "mostly_unchanged"), (ratio <= 0.5, "changed"))
            return next((word for holds, word in words if holds), "removed")
    return "unobserved" if decided.received + timedelta(seconds=check_s) <= closed_at else "not_due"
