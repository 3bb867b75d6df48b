"""The documents in which extensions declare their events: `telemetry.json`, and what `code --telemetry` prints.

Reading is lenient about what it does not know and strict about classifications: every property has one of a closed
set, which decides what is done to its values.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from schemas.errors import InvalidOptions
from schemas.manifests import (
    DROP,
    KEEP,
    ORGANIZATION,
    PERSON,
    SCRUB,
    TREATMENTS,
    DeclaredEvent,
    Manifests,
    Member,
    folded,
)

_STRICTEST = (KEEP, SCRUB, ORGANIZATION, PERSON, DROP)
_BY_FOLDED = {name.lower(): name for name in TREATMENTS}
_WILDCARD, _PREFIX, _CLASSIFICATION = "${wildcard}", "${prefix}", "${classification}"
_GROUPS = {"properties": False, "measurements": True}
"""Members under which some write their properties, and whether these are measurements."""

_OF_NOBODY = ("vscode-core", "vscode-extensions")
"""Keys of the output of `code --telemetry` that name no extension."""

_EXTENSION = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,99}\.[A-Za-z0-9][A-Za-z0-9_.-]{0,99}?)(?:-\d+\.\d+\.\d+.*)?")
_NAME = re.compile(r"[A-Za-z0-9_$@.:/ -]{1,200}")


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
