"""What would become of one event, and where it stands."""

import os
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """The fates of the ledger; every event has exactly one."""

    LANDED = "landed"
    DUPLICATE = "duplicate"
    WITHHELD = "withheld"
    OUTSIDE_CONTRACT = "outside_contract"
    QUARANTINED = "quarantined"


class Place(NamedTuple):
    """Where an event stands: its file, the number of its line or record, and of the event in a record's body.

    Lines are numbered from 1 as an editor does, blank ones counted. Records of a container are numbered from 1 in the
    order in which they can be read; `within` is the event in a body, from 0. `number` 0: a part of the file that
    cannot be read.
    """

    file: str
    number: int
    within: int | None = None

    @property
    def short(self) -> str:
        """With the name of the file alone, and without what could move a terminal's cursor."""
        name = "".join(c if c.isprintable() else "?" for c in os.path.basename(self.file))
        return str(self._replace(file=name))

    def __str__(self) -> str:
        where = f"{self.file}:{self.number}" if self.number else self.file
        return where if self.within is None else f"{where}[{self.within}]"


@dataclass(slots=True)
class Suggestion:
    """A suggestion of which the input has facts: where they stand, and what the row would say."""

    kind: str | None
    outcome: str | None
    is_open: bool
    facts: list["Fate"] = field(default_factory=list)

    def of(self, dataset: str) -> list["Fate"]:
        """Its facts in a dataset, in the order of the input."""
        found = {id(fate): fate for fate in self.facts if dataset in fate.datasets}
        return sorted(found.values(), key=lambda fate: fate.place)


@dataclass(slots=True)
class Fate:
    """One event. Names in it are words of the contract, never words of the payload, but for `unread`."""

    place: Place
    name: str | None = None
    """The event's name as the ledger would count it; None where the bytes are no event."""
    verdict: Verdict | None = None
    key: str | None = None
    """Of a withheld event the level that withheld it, of one outside the contract its counted name, of a quarantined
    one the reason."""
    datasets: list[str] = field(default_factory=list)
    """Where rows of it land; the one in which it counts comes first."""
    dataset: str | None = None
    wrong: str | None = None
    expected: str | None = None
    """Of a quarantined event the dataset, the field or member that is wrong, and what it must be."""
    withheld_fields: list[str] = field(default_factory=list)
    withheld_values: dict[str, int] = field(default_factory=dict)
    """How many values of a landed event are withheld, by the level that they need."""
    unknown_values: dict[str, int] = field(default_factory=dict)
    redactions: dict[str, int] = field(default_factory=dict)
    unread_count: int = 0
    unread: list[str] = field(default_factory=list)
    """What is not read, as the client wrote it: members of `properties` and `measurements`, or the event's name.

    Kept where somebody asked for it, and of events that a manifest declares.
    """
    is_declared: bool = False
    """Whether a manifest declares the event."""
    duplicate_of: Place | None = None
    suggestion: Suggestion | None = None
    is_late: bool = False
    is_unjoined: bool = False
    hint: str | None = None
