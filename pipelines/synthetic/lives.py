"""The lives of made-up suggestions, joined the slow and obvious way: a second opinion on JoinSuggestions."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pipelines.synthetic.events import CHECKS_S, Event, Person

HORIZON = timedelta(minutes=30)
_OUTCOMES = {"ghostText.accepted": "accepted", "ghostText.rejected": "rejected", "ghostText.dismissed": "dismissed"}
_PRECEDENCE = ("accepted", "partially_accepted", "dismissed", "rejected")


class Fact(NamedTuple):
    """An event of a suggestion as it landed."""

    received: datetime
    event: Event
    someone: Person


class Life(NamedTuple):
    """A suggestion whose life is over: its facts by receive time, and what became of it."""

    facts: list[Fact]
    late: list[Fact]
    outcome: str
    decided: Fact | None
    closed_at: datetime

    @property
    def displays(self) -> list[Event]:
        """Its displays, by the client's clock."""
        return sorted((f.event for f in self.facts if is_display(f.event)), key=lambda e: e.at_ms)

    def state(self, check_s: int) -> str:
        """Its state at a check; not_due where it closed before."""
        return _state(self.facts, check_s, self.outcome, self.decided, self.closed_at)


class TrueLives:
    """Facts of suggestions as they land, and what they amount to when no other comes.

    A life ends where nothing comes for the default horizon; what comes after it is
    late, as no generated upload is late by as much as the default lookback.
    """

    def __init__(self) -> None:
        self._facts: dict[str, list[Fact]] = defaultdict(list)

    def land(self, someone: Person, event: Event, received: datetime) -> None:
        """Takes an event that landed, of any kind."""
        next_edit = event.name == "provideInlineEdit"
        key = event.properties.get("headerRequestId" if next_edit else "clientCompletionId")
        if key and {event.dataset, *event.mirrors} & {"displays", "outcomes", "persistence_checks"}:
            self._facts[key].append(Fact(received, event, someone))

    def lives(self, clock: datetime | None) -> Iterator[Life]:
        """All suggestions, those still open at the clock closed there."""
        for facts in self._facts.values():
            life = _life(facts)
            end = life[-1].received
            yield Life(life, facts[len(life) :], *_outcome(life), min(end + HORIZON, clock or end))

    def as_json(self, clock: datetime | None) -> dict[str, Any]:
        """Counts over all suggestions."""
        lives = list(self.lives(clock))
        states = {str(s): Counter(life.state(s) for life in lives) for s in CHECKS_S}
        return {
            "suggestions": len(lives),
            "shown": sum(bool(life.displays) for life in lives),
            "displays": sum(len(life.displays) for life in lives),
            "outcomes": dict(sorted(Counter(life.outcome for life in lives).items())),
            "persistence": {s: dict(sorted(c.items())) for s, c in states.items()},
            "late": sum(1 + ("displays" in f.event.mirrors) for life in lives for f in life.late),
        }


def _life(facts: list[Fact]) -> list[Fact]:
    facts.sort(key=lambda f: f.received)
    life = facts[:1]
    for fact in facts[1:]:
        if fact.received - life[-1].received > HORIZON:
            break
        life.append(fact)
    return life


def is_display(event: Event) -> bool:
    """Whether the event tells that something was shown."""
    return "displays" in (event.dataset, *event.mirrors)


def _outcome(life: list[Fact]) -> tuple[str, Fact | None]:
    found: dict[str, Fact] = {}
    for fact in sorted(life, key=lambda f: f.event.at_ms):
        found.setdefault(_kind(fact.event), fact)
    return next(((kind, found[kind]) for kind in _PRECEDENCE if kind in found), ("none", None))


def _kind(event: Event) -> str:
    if event.name == "ghostText.accepted" and event.properties["compType"] == "partial":
        return "partially_accepted"
    return _OUTCOMES.get(event.name) or event.properties.get("acceptance", "")


def _state(life: list[Fact], check_s: int, outcome: str, decided: Fact | None, closed_at: datetime) -> str:
    if decided is None or outcome not in ("accepted", "partially_accepted"):
        return "not_applicable"
    for fact in life:
        if fact.event.measurements.get("timeout") == check_s:
            ratio = fact.event.measurements["relativeLexEditDistance"]
            words = ((ratio == 0, "unchanged"), (ratio < 0.33, "mostly_unchanged"), (ratio <= 0.5, "changed"))
            return next((word for holds, word in words if holds), "removed")
    return "unobserved" if decided.received + timedelta(seconds=check_s) <= closed_at else "not_due"
