"""Contracts that extensions bring: `telemetry.json`, and what `code --telemetry` prints.

A reader is lenient about what it does not know and strict about classifications: every property has one of a closed
set, which decides what is done to its values. What no manifest declares is never read.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

from schemas.errors import InvalidOptions

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

_STRICTEST = (KEEP, SCRUB, ORGANIZATION, PERSON, DROP)
_BY_FOLDED = {name.lower(): name for name in TREATMENTS}
_WILDCARD, _PREFIX, _CLASSIFICATION = "${wildcard}", "${prefix}", "${classification}"
_GROUPS = {"properties": False, "measurements": True}
"""Members under which some write their properties, and whether these are measurements."""

_OF_NOBODY = ("vscode-core", "vscode-extensions")
"""Keys of the output of `code --telemetry` that name no extension."""

_EXTENSION = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,99}\.[A-Za-z0-9][A-Za-z0-9_.-]{0,99}?)(?:-\d+\.\d+\.\d+.*)?")
_NAME = re.compile(r"[A-Za-z0-9_$@.:/ -]{1,200}")


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


def manifests_of(documents: Mapping[str, Any]) -> Manifests:
    """The contract that parsed JSON documents make together, each under the words that name it to people.

    Raises InvalidOptions with the document, event and property that is wrong: a property without a classification or
    with one that is not known, two declarations of one event that differ, a document of another form.
    """
    events: dict[str, dict[str | None, tuple[DeclaredEvent, str]]] = {}
    for where, document in documents.items():
        for extension, manifest in _parts(document, where):
            for event in _events_of(extension, manifest, where):
                known = events.setdefault(event.name.lower(), {})
                if event.extension in known and known[event.extension][0] != event:
                    raise InvalidOptions(
                        f"{where}: event {event.name} is declared in another way in {known[event.extension][1]}"
                    )
                known[event.extension] = event, where
    return Manifests({name: tuple(event for event, _ in found.values()) for name, found in events.items()})


def _parts(document: Any, where: str) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Each extension's contract; the extension's id is None where the document does not tell it."""
    if isinstance(document, dict) and isinstance(document.get("events"), dict):
        own = document.get("extensionId")
        yield _extension(own) if isinstance(own, str) else None, document
        return
    if not isinstance(document, dict) or not document or not all(isinstance(v, dict) for v in document.values()):
        raise InvalidOptions(f"{where}: allowed is a telemetry.json, with its events, or what code --telemetry prints")
    for name, manifest in document.items():
        if isinstance(manifest.get("events"), dict):
            yield _extension(name), manifest
        elif "events" in manifest or not _is_empty(manifest):
            raise InvalidOptions(f"{where}: {_shown(name)} has no object of events")


def _is_empty(manifest: dict[str, Any]) -> bool:
    return not any(manifest.values())


def _extension(name: str) -> str | None:
    found = _EXTENSION.fullmatch(name)
    return found[1].lower() if found and name not in _OF_NOBODY else None


def _events_of(extension: str | None, manifest: dict[str, Any], where: str) -> Iterator[DeclaredEvent]:
    common_raw = manifest.get("commonProperties")
    common = _members(common_raw, f"{where}: commonProperties") if isinstance(common_raw, dict) else ([], [])
    for name, raw in manifest["events"].items():
        place = f"{where}: event {_shown(name)}"
        if not _NAME.fullmatch(name) or not isinstance(raw, dict):
            raise InvalidOptions(f"{place}: allowed are an object, and a name of letters, digits and _$@.:/- alone")
        own = _members(raw, place)
        members: dict[str, Member] = {}
        for member in (*own[0], *common[0]):
            key = folded(member.name)
            if key not in members or _is_stricter(member, members[key]):
                members[key] = member
        wildcards = tuple((folded(member.name[:-1]), member) for member in (*own[1], *common[1]))
        yield DeclaredEvent(name, extension, members, wildcards)


def _is_stricter(one: Member, other: Member) -> bool:
    return _STRICTEST.index(one.treatment) > _STRICTEST.index(other.treatment)


def _members(raw: dict[str, Any], place: str) -> tuple[list[Member], list[Member]]:
    """Properties and wildcards. Texts, numbers and lists beside them are comments, owners and the like."""
    members, wildcards = [], []
    for name, value in raw.items():
        if name == _WILDCARD:
            if not isinstance(value, list):
                raise InvalidOptions(f"{place}: {_WILDCARD} is no list")
            wildcards += [_wildcard(entry, place) for entry in value]
        elif name in ("${include}", "${inline}"):
            raise InvalidOptions(f"{place}: {name} is not resolved; allowed is what @vscode/telemetry-extractor writes")
        elif name in _GROUPS and isinstance(value, dict) and "classification" not in value:
            members += [_member(n, v, place, is_measurement=_GROUPS[name]) for n, v in value.items()]
        elif isinstance(value, dict):
            members.append(_member(name, value, place, is_measurement=value.get("isMeasurement") is True))
    return members, wildcards


def _wildcard(entry: Any, place: str) -> Member:
    prefix = entry.get(_PREFIX) if isinstance(entry, dict) else None
    if not isinstance(prefix, str) or not prefix:
        raise InvalidOptions(f"{place}: {_WILDCARD} has an entry without a {_PREFIX}")
    member = _member(prefix, entry.get(_CLASSIFICATION), place, is_measurement=False)
    return replace(member, name=f"{prefix}*")


def _member(name: str, value: Any, place: str, *, is_measurement: bool) -> Member:
    given = value.get("classification") if isinstance(value, dict) else None
    known = _BY_FOLDED.get(given.lower()) if isinstance(given, str) else None
    if known is None or not _NAME.fullmatch(name):
        told = f"classification {_shown(given)}" if isinstance(given, str) else "no classification"
        raise InvalidOptions(f"{place}, property {_shown(name)}: {told}; allowed are {', '.join(TREATMENTS)}")
    purpose = value.get("purpose")
    purpose = purpose if isinstance(purpose, str) and _NAME.fullmatch(purpose) else ""
    is_number = is_measurement or value.get("isMeasurement") is True
    return Member(name, known, purpose, TREATMENTS[known], is_number)


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:100])
