"""Counts of what came in and where every event went."""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Books:
    """The counts of `ledger.1.avsc`, of one ledger row or summed over many.

    `landed` to `quarantined` add up to `events`; `rows` are of files, `late` of
    landed events, `unknown_values` of values that landed as `other`,
    `unjoined` of landed displays, outcomes and checks that belong to no suggestion.
    """

    payloads: int = 0
    events: int = 0
    landed: int = 0
    duplicate: int = 0
    withheld: Counter[str] = field(default_factory=Counter)
    outside_contract: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    withheld_fields: Counter[str] = field(default_factory=Counter)
    scrubbed: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    unknown_values: Counter[str] = field(default_factory=Counter)
    unjoined: Counter[str] = field(default_factory=Counter)

    def add(self, column: str, key: str, count: int) -> None:
        """Adds to a column, under the key where the column is a map."""
        found = getattr(self, column)
        if isinstance(found, Counter):
            found[key] += count
        else:
            setattr(self, column, found + count)

    def copy(self) -> "Books":
        """The same counts, to be changed by themselves."""
        return deepcopy(self)

    def add_row(self, row: dict[str, Any]) -> None:
        """Adds a ledger row as pyarrow gives it: maps as lists of pairs."""
        for column in vars(self):
            counts = row.get(column) or []  # rows written before a column was there
            for key, count in counts if isinstance(counts, list) else [("", counts)]:
                self.add(column, key, count)

    def as_row(self) -> dict[str, Any]:
        """The columns of a ledger row, maps sorted by key, so that the same counts give the same bytes."""
        return {name: sorted(v.items()) if isinstance(v, Counter) else v for name, v in vars(self).items()}

    def most_unprocessable(self, told: int | None) -> int:
        """How many payloads our own code may fail on: as told, else 1,000 or a thousandth of the events."""
        return max(1000, self.events // 1000) if told is None else told

    @property
    def accounted(self) -> int:
        """Events whose fate is known."""
        fates = (self.withheld, self.outside_contract, self.quarantined)
        return self.landed + self.duplicate + sum(c.total() for c in fates)
