"""The JSON of all three clients as structs that hold only the members that a schema names.

Default deny: the struct types are made from the `sources` of `schemas/avro`, so
the decoder skips a member that no schema names, and it never becomes a value. Some
member names are no Python names (`common.extname`); their attributes in the
structs have short ones, and `attribute` translates.
"""

import threading
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import msgspec

from schemas.registry import event_schemas
from transforms.core.consent import Collector


class Frame(msgspec.Struct, gc=False):
    """One line of a parsed stack."""

    method: str | None = None
    fileName: str | None = None
    line: int | None = None
    assembly: str | None = None


class WireException(msgspec.Struct, gc=False):
    """One exception of an ExceptionData body."""

    typeName: str | None = None
    message: str | None = None
    stack: str | None = None
    parsedStack: list[Frame] | None = None


class ExceptionFacts(msgspec.Struct, gc=False):
    """The parts of an exception that land, however the client wrapped it."""

    type: str | None = None
    message: str | None = None
    stack: str | None = None
    severity: str | None = None


def _names(group: str) -> list[str]:
    """Wire names of a group (properties, measurements, tags) in schema order, each once."""
    names: dict[str, None] = {}
    for schema in event_schemas().values():
        sources: Iterable[str | None] = [s for f in schema.fields for s in f.sources]
        for source in (*sources, *(route.source for route in schema.events)):
            kind, _, name = (source or "").partition("=>")[0].partition(".")
            if kind == group:
                names[name] = None
    return list(names)


def _struct(group: str, kind: Any) -> tuple[type[msgspec.Struct], dict[str, str]]:
    attributes = {name: f"f{n}" for n, name in enumerate(_names(group))}
    made = msgspec.defstruct(
        group.capitalize(),
        [(a, kind, None) for a in attributes.values()],
        rename={a: name for name, a in attributes.items()},
        gc=False,
        module=__name__,
    )
    return made, attributes


Properties, _PROPERTIES = _struct("properties", str | None)
Measurements, _MEASUREMENTS = _struct("measurements", float | None)
Tags, _TAGS = _struct("tags", str | None)
_ATTRIBUTES = {"properties": _PROPERTIES, "measurements": _MEASUREMENTS, "tags": _TAGS}


class BaseData(msgspec.Struct, gc=False):
    """The body of an event in every envelope."""

    name: str | None = None
    properties: Properties | None = None  # type: ignore[valid-type]
    measurements: Measurements | None = None  # type: ignore[valid-type]
    exceptions: list[WireException] | None = None
    severityLevel: int | str | None = None


class Data(msgspec.Struct, gc=False):
    """`baseType` is missing in Common Schema 4.0."""

    baseData: BaseData
    baseType: str | None = None


class Envelope(msgspec.Struct, gc=False):
    """One event as any of the clients wraps it."""

    data: Data
    name: str | None = None
    time: str | None = None
    tags: Tags | None = None  # type: ignore[valid-type]
    sampleRate: float | None = None
    popSample: float | None = None
    collector: Collector | None = None


class EnvelopeReader(threading.local):
    """Decodes envelopes, strictly, and remembers every stamp of the last one.

    JSON may hold a member twice, and a decoder keeps the last one; but a stamp that a client sent itself must not
    stand for the collector's. Searching each line for a second stamp takes 1.5 us; calling a list's `append` as
    each stamp is made takes 0.1. Each thread has its own list.
    """

    def __init__(self) -> None:
        self.stamps: list[Collector] = []
        stamp = msgspec.defstruct(
            "Stamp", [], bases=(Collector,), namespace={"__post_init__": self.stamps.append}, gc=False
        )
        envelope = msgspec.defstruct(
            "StampedEnvelope",
            [("collector", stamp | None, None)],
            bases=(Envelope,),
            gc=False,
        )
        self.decode: Callable[[bytes], Envelope] = msgspec.json.Decoder(envelope).decode  # type: ignore[assignment]


def names_of(group: str) -> frozenset[str]:
    """The wire names of a group (properties, measurements, tags) that some schema reads."""
    return frozenset(_ATTRIBUTES[group])


@cache
def attribute(source: str) -> tuple[str, str]:
    """`properties.languageId` -> the group and the struct's attribute for it."""
    group, _, name = source.partition(".")
    return group, _ATTRIBUTES.get(group, {}).get(name, name)
