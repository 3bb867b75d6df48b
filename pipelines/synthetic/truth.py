"""What a correct job must find in generated data, counted while it is made."""

from collections import Counter
from datetime import datetime
from typing import Any

from pipelines.synthetic.event import Event
from pipelines.synthetic.events import Person
from pipelines.synthetic.kinds import by_kind
from pipelines.synthetic.lives import TrueLives
from pipelines.synthetic.rates import TrueRates

_PERMITS = {"all": ("usage", "error"), "error": ("error",)}


class Truth:
    """What a correct job must find, counted while the data is made."""

    def __init__(self) -> None:
        self.payloads = self.events = self.landed = self.duplicate = 0
        self.withheld: Counter[str] = Counter()
        self.outside_contract: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self.received_dates: Counter[str] = Counter()
        self._lives = TrueLives()
        self._rates = TrueRates()
        self._clock: datetime | None = None

    def count(self, someone: Person, event: Event, received: datetime, is_copy: bool) -> None:
        """Counts one event as it arrives."""
        self.events += 1
        self.received_dates[received.date().isoformat()] += 1
        if event.is_invalid:
            fate = "off" if someone.level not in ("all", "error", "crash") else None
            if fate:
                self.withheld[fate] += 1
            else:
                self.quarantined["invalid_event"] += 1
            return
        withheld = _withheld(someone, event)
        if withheld:
            self.withheld[withheld] += 1
        elif event.dataset is None:
            self.outside_contract[event.name] += 1
        else:
            self._clock = max(received, self._clock or received)
            self.duplicate += is_copy
            if not is_copy:
                self._land(someone, event, received)

    def _land(self, someone: Person, event: Event, received: datetime) -> None:
        self.landed += 1
        for dataset in (event.dataset, *event.mirrors):
            if dataset and (dataset != "snippets" or someone.snippet_consent):
                self.rows[dataset] += 1
        self._lives.land(someone, event, received)
        self._rates.land(someone, event, received)

    def as_json(self) -> dict[str, Any]:
        """The content of truth.json."""
        return {
            "payloads": self.payloads,
            "events": self.events,
            "landed": self.landed,
            "duplicate": self.duplicate,
            "withheld": dict(sorted(self.withheld.items())),
            "outside_contract": dict(sorted(self.outside_contract.items())),
            "quarantined": dict(sorted(self.quarantined.items())),
            "rows": dict(sorted(self.rows.items())),
            "received_dates": dict(sorted(self.received_dates.items())),
            "lives": self._lives.as_json(self._clock),
            "by_kind": by_kind(self._lives.lives(self._clock)),
        }

    def acceptance(self) -> list[dict[str, Any]]:
        """The cells of `acceptance`, none merged, in their order."""
        return self._rates.cells(self._lives.lives(self._clock))


def _withheld(someone: Person, event: Event) -> str | None:
    if someone.level not in ("all", "error", "crash"):
        return "off"
    if event.dataset is None:
        return None
    needed = "error" if event.dataset == "errors" else "usage"
    if needed not in _PERMITS.get(someone.level, ()):
        return someone.level
    return "snippet" if event.dataset == "snippets" and not someone.snippet_consent else None
