"""Contracts that extensions bring: which events and properties they declare, and what is done to the values of each.

What no manifest declares is never read. `schemas.manifest_documents` reads them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

KEEP, SCRUB, PERSON, ORGANIZATION, DROP = (
    "keep", "scrub", "pseudonymize:property", "pseudonymize:organization", "drop",
)  # fmt: skip
TREATMENTS = {
    "SystemMetaData": KEEP,
    "PublicNonPersonalData": KEEP,
    "CallstackOrException": SCRUB,
    "EndUserPseudonymizedInformation": PERSON,
    "OrganizationIdentifiableInformation": ORGANIZATION,
    "CustomerContent": DROP,
    "PublicPersonalData": DROP,
    "EndUserIdentifiableInformation": DROP,
}
"""Classification -> what is done to values. @vscode/telemetry-extractor knows all but the two Identifiable ones."""


@dataclass(frozen=True)
class Member:
    """A property or measurement as it is declared; `treatment` is one of TREATMENTS' values."""

    name: str
    classification: str
    purpose: str
    treatment: str
    is_measurement: bool = False


@dataclass(frozen=True)
class DeclaredEvent:
    """An event; `members` by their folded names, `wildcards` by the folded prefixes of names."""

    name: str
    extension: str | None
    members: Mapping[str, Member] = field(default_factory=dict)
    wildcards: tuple[tuple[str, Member], ...] = ()

    def member(self, wire_name: str) -> Member | None:
        """What a property of that name is declared as; None where it is not.

        Behind a wildcard's prefix clients put what they like, as the name of a user, so that part never lands: all
        such properties have one name, which ends in *.
        """
        name = folded(wire_name)
        found = self.members.get(name)
        if found is not None or not self.wildcards:
            return found
        for prefix, member in self.wildcards:
            if name.startswith(prefix):
                return member
        return None

    def as_json(self) -> dict[str, Any]:
        """The declaration, for people and programs."""
        members = {name: asdict(member) for name, member in sorted(self.members.items())}
        wildcards = {prefix: asdict(member) for prefix, member in self.wildcards}
        return {"event": self.name, "extension": self.extension, "members": members, "wildcards": wildcards}


@dataclass(frozen=True)
class Manifests:
    """Events of all manifests of a run, by their folded names."""

    events: Mapping[str, tuple[DeclaredEvent, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.events)

    def find(self, wire_name: str) -> DeclaredEvent | None:
        """The declaration of an event, whose name may have the extension as a prefix.

        An extension's own declaration goes before one that names no extension. A name without a prefix is an event of
        an extension only if no other extension declares it.
        """
        if len(wire_name) > _MOST_CHARS:
            return None
        for prefix, name in _splits(wire_name.lower()):
            found = self.events.get(name, ())
            own = [event for event in found if prefix and event.extension and _is_of(prefix, event.extension)]
            fitting = own or [event for event in found if _is_of(prefix, event.extension)]
            if len(fitting) == 1:
                return fitting[0]
        return None

    @cached_property
    def document(self) -> bytes:
        """All declarations as JSON: what an output keeps of them. The same declarations give the same bytes."""
        found = [event.as_json() for _, events in sorted(self.events.items()) for event in events]
        found.sort(key=lambda event: (event["event"], event["extension"] or ""))
        return json.dumps({"events": found}, sort_keys=True, indent=1).encode() + b"\n"

    @cached_property
    def digest(self) -> str:
        """16 hex digits that change with any declaration."""
        return blake2b(self.document, digest_size=8).hexdigest()


NO_MANIFESTS = Manifests()
_MOST_CHARS = 200


def folded(name: str) -> str:
    """A property's name as it is looked up: suggestion clients write _ for the dots, the extractor no capitals."""
    return name.lower().replace(".", "_")


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """The name, and what is left of it without its prefix, its publisher, and two prefixes; each with what was cut."""
    yield "", name
    prefix, slash, rest = name.partition("/")
    if slash:
        yield prefix, rest
        publisher, dot, own = name.partition(".")
        if dot and "/" not in publisher:
            yield "", own
        second, slash, rest = rest.partition("/")
        if slash:
            yield second, rest


def _is_of(prefix: str, extension: str | None) -> bool:
    return not prefix or extension is None or prefix in (extension, extension.partition(".")[2])
