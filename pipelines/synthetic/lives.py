"""The lives of made-up suggestions, joined the slow and obvious way: a second opinion on JoinSuggestions."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pipelines.synthetic.event import Event
from pipelines.synthetic.events import CHECKS_S, Person

HORIZON = timedelta(minutes=30)
_OUTCOMES = {"ghostText.accepted": "accepted", "ghostText.rejected": "rejected", "ghostText.dismissed": "dismissed"}
_PRECEDENCE = ("accepted", "partially_accepted", "dismissed", "rejected")
_OF_A_REQUEST = {
    "inline.done": "inline_chat",
    "inline.trackEditSurvival": "inline_chat",
    "panel.edit.feedback": "agent_edit",
    "edit.hunk.action": "agent_edit",
    "applyPatch/trackEditSurvival": "agent_edit",
    "replaceString/trackEditSurvival": "agent_edit",
}
_OF_AN_OPPORTUNITY = ("provideInlineEdit", "reportInlineEditSurvivalRate")
_LIVING = {"displays", "outcomes", "persistence_checks"}


class Fact(NamedTuple):
    """An event of a suggestion as it landed."""

    received: datetime
    event: Event
    someone: Person


class Life(NamedTuple):
    """A suggestion whose life is over: its facts by receive time, and what became of it.

    `late` came after its life; `told` are reports of its opportunities that are no facts of it.
    """

    facts: list[Fact]
    late: list[Fact]
    outcome: str
    decided: Fact | None
    closed_at: datetime
    kind: str = "ghost_text"
    told: tuple[Fact, ...] = ()

    @property
    def displays(self) -> list[Event]:
        """Its displays, by the client's clock."""
        return sorted((f.event for f in self.facts if is_display(f.event)), key=lambda e: e.at_ms)

    @property
    def is_checks_alone(self) -> bool:
        """Whether nothing but checks is known of it."""
        return all(f.event.dataset == "persistence_checks" for f in self.facts)

    def state(self, check_s: int) -> str:
        """Its state at a check by lexical distance; not_due where it closed before."""
        return _state(self.facts, check_s, self.outcome, self.decided, self.closed_at)


class TrueLives:
    """Facts of suggestions as they land, and what they amount to when no other comes.

    A life ends where nothing comes for the default horizon; what comes after it is
    late, as no generated upload is late by as much as the default lookback.
    """

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        self._told: dict[str, list[Fact]] = defaultdict(list)
        self._without_id: Counter[str] = Counter()

    def land(self, someone: Person, event: Event, received: datetime) -> None:
        """Takes an event that landed, of any kind."""
        fact = Fact(received, event, someone)
        if event.dataset == "endings" or event.name.endswith("reportInlineEditArc"):
            self._told[event.properties["opportunityId"]].append(fact)
        elif event.dataset in _LIVING:
            key = _key(event)
            if key is None:
                self._without_id[f"{event.dataset}/{_OF_A_REQUEST.get(event.name, 'ghost_text')}/no_id"] += 1
            else:
                self._facts[key].append(fact)

    def lives(self, clock: datetime | None) -> Iterator[Life]:
        """All suggestions, those still open at the clock closed there."""
        for (kind, _), facts in self._facts.items():
            life = _life(facts)
            end = life[-1].received
            closed_at, late = min(end + HORIZON, clock or end), facts[len(life) :]
            for part in _parts(life) if kind == "next_edit" else [life]:
                told = tuple(self._told_of(part, life[0].received, closed_at))
                yield Life(part, late, *_outcome(part, kind), closed_at, kind, told)
                late = []

    def _told_of(self, facts: list[Fact], first: datetime, closed_at: datetime) -> Iterator[Fact]:
        named = (f.event for f in facts if f.event.dataset in ("displays", "outcomes"))
        for opportunity in sorted({e.properties.get("opportunityId", "") for e in named}):
            for fact in self._told.get(opportunity, ()):
                if first - HORIZON <= fact.received <= closed_at:
                    yield fact

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
            "unjoined": self._unjoined(lives),
        }

    def _unjoined(self, lives: list[Life]) -> dict[str, int]:
        alone = Counter(
            f"persistence_checks/{life.kind}/only_checks"
            for life in lives
            if life.is_checks_alone and life.kind != "agent_edit"
            for _ in life.facts
        )
        given = sum(len(life.facts) + len(life.late) for life in lives)
        lost = sum(map(len, self._facts.values())) - given
        ambiguous = Counter({"persistence_checks/next_edit/ambiguous": lost})
        return dict(sorted((alone + ambiguous + self._without_id).items()))


def _key(event: Event) -> tuple[str, str] | None:
    said = event.properties
    if kind := _OF_A_REQUEST.get(event.name):
        request = said.get("requestId", said.get("headerRequestId"))
        return (kind, request) if request else None
    if event.name in _OF_AN_OPPORTUNITY:
        return "next_edit", said["opportunityId"]
    completion = said.get("clientCompletionId")
    return ("ghost_text", completion) if completion else None


def _life(facts: list[Fact]) -> list[Fact]:
    facts.sort(key=lambda f: f.received)
    life = facts[:1]
    for fact in facts[1:]:
        if fact.received - life[-1].received > HORIZON:
            break
        life.append(fact)
    return life


def _parts(life: list[Fact]) -> list[list[Fact]]:
    """The next edits of one opportunity; checks go with the only one, or the only one that was accepted."""
    reports = [f for f in life if f.event.name == "provideInlineEdit"]
    providers = sorted({f.event.properties["providerId"] for f in reports})
    if len(providers) < 2:
        return [life]
    accepted = {f.event.properties["providerId"] for f in reports if f.event.properties["acceptance"] == "accepted"}
    owner = accepted.pop() if len(accepted) == 1 else None
    return [[f for f in life if f.event.properties.get("providerId", owner) == name] for name in providers]


def is_display(event: Event) -> bool:
    """Whether the event tells that something was shown."""
    return "displays" in (event.dataset, *event.mirrors)


def _outcome(life: list[Fact], kind: str) -> tuple[str, Fact | None]:
    found: dict[str, Fact] = {}
    for fact in sorted(life, key=lambda f: f.event.at_ms):
        found.setdefault(_kind(fact.event), fact)
    outcome, decided = next(((kind, found[kind]) for kind in _PRECEDENCE if kind in found), ("none", None))
    if kind == "agent_edit" and outcome == "accepted" and "rejected" in found:
        return "partially_accepted", decided
    return outcome, decided


def _kind(event: Event) -> str:
    said = event.properties
    if event.name == "ghostText.accepted" and said["compType"] == "partial":
        return "partially_accepted"
    if event.name == "inline.done":
        return "accepted" if event.measurements["accepted"] else "rejected"
    return _OUTCOMES.get(event.name) or said.get("acceptance", said.get("outcome", ""))


def _state(life: list[Fact], check_s: int, outcome: str, decided: Fact | None, closed_at: datetime) -> str:
    is_ghost_text = life[0].event.properties.get("clientCompletionId") is not None
    if not is_ghost_text or decided is None or outcome not in ("accepted", "partially_accepted"):
        return "not_applicable"
    for fact in life:
        if fact.event.measurements.get("timeout") == check_s:
            ratio = fact.event.measurements["relativeLexEditDistance"]
            words = ((ratio == 0, "unchanged"), (ratio < 0.33, "mostly_unchanged"), (ratio <= 0.5, "changed"))
            return next((word for holds, word in words if holds), "removed")
    return "unobserved" if decided.received + timedelta(seconds=check_s) <= closed_at else "not_due"
