"""Which made-up facts are of which cell of `acceptance`: a second opinion on `pipelines.metrics`."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from pipelines.synthetic.event import Event
from pipelines.synthetic.events import Person
from pipelines.synthetic.figures import Seen, figures
from pipelines.synthetic.lives import Fact, Life

_TRACES = {"requests", "displays", "outcomes"}
_IN_WORDS = ("inline.done", "panel.edit.feedback", "edit.hunk.action")
_ANY = "(any)"


class _Cell(NamedTuple):
    received_date: str
    kind: str
    language: str | None
    extension_version: str
    engine: str | None
    country: str | None


class TrueRates:
    """Events as they land, and the rates that follow."""

    def __init__(self) -> None:
        self._seen: dict[_Cell, Seen] = defaultdict(Seen)
        self._keys: dict[tuple[str, str, str], dict[date, list[Fact]]] = defaultdict(lambda: defaultdict(list))

    def land(self, someone: Person, event: Event, received: datetime) -> None:
        """Takes an event that landed, of any kind."""
        everything = self._seen[_cell(someone, event, received.date(), _ANY)]
        if event.dataset in _TRACES or _TRACES & {*event.mirrors}:
            everything.be_active(someone, event)
            if kind := _asked_for(event):
                self._seen[_cell(someone, event, received.date(), kind)].be_active(someone, event)
                self._note(kind, "opportunities", "opportunityId", someone, event, received)
        if event.dataset == "requests":
            self._note(_ANY, "requests", "headerRequestId", someone, event, received)
        if event.dataset == "redactions" or (event.dataset == "errors" and event.name != "auth.new_token"):
            everything.installations.add(someone.machine)
            everything.counts[event.dataset] += 1

    def _note(self, kind: str, count: str, name: str, someone: Person, event: Event, received: datetime) -> None:
        key = (kind, count, event.properties[name])
        self._keys[key][received.date()].append(Fact(received, event, someone))

    def cells(self, lives: Iterable[Life]) -> list[dict[str, Any]]:
        """Every cell with all its counts and rates, sorted, unknown dimensions last. Call it once."""
        for (kind, count, _), days in self._keys.items():
            for day, facts in days.items():
                if day - timedelta(days=1) not in days:
                    first = min(facts, key=lambda f: (f.received, f.event.at_ms))
                    counts = self._seen[_cell(first.someone, first.event, day, kind)].counts
                    counts[count] += 1
                    counts[f"failed_{count}"] += any(f.event.name == "request.error" for f in facts)
        for life in lives:
            told_by = life.displays[0] if life.displays else _first(life)
            someone = life.facts[0].someone
            for kind in (life.kind, _ANY):
                self._seen[_cell(someone, told_by, life.closed_at.date(), kind)].installations.add(someone.machine)
            self._seen[_cell(someone, told_by, life.closed_at.date(), life.kind)].lives.append(life)
        found = [(cell, seen) for cell, seen in self._seen.items() if seen.installations]
        found.sort(key=lambda each: [(value is None, value or "") for value in each[0]])
        return [{**cell._asdict(), **figures(cell.kind, seen)} for cell, seen in found]


def _asked_for(event: Event) -> str | None:
    """The kind that there was a chance to show something of."""
    if event.name in _IN_WORDS:
        return None
    if event.name == "provideInlineEdit":
        return "next_edit"
    is_of_chat = event.properties.get("uiKind", "ghostText") != "ghostText"
    return None if is_of_chat else "ghost_text"


def _first(life: Life) -> Event:
    """Who and where come from the first outcome, else from the first check."""
    events = sorted((f.event for f in life.facts), key=lambda e: (e.dataset != "outcomes", e.at_ms))
    return events[0]


def _cell(someone: Person, event: Event, day: date, kind: str) -> _Cell:
    said = event.properties
    language = said.get("languageId", said.get("activeDocumentLanguageId"))
    engine = said.get("engineName", said.get("modelName"))
    # Where somebody is, is told only of those who permit everything.
    country = someone.country if someone.level == "all" else None
    return _Cell(day.isoformat(), kind, language, someone.extension_version, engine, country)
