"""Decoded structs of one dataset -> Arrow columns, still unprotected.

Column by column, never row by row.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import astuple

from schemas.fields import LISTED, Field
from schemas.registry import Schema, load
from transforms.core.carried import USER
from transforms.core.consent import Collector
from transforms.core.decoding.convert import convert
from transforms.core.decoding.envelopes import exception_facts
from transforms.core.decoding.expected import WrongValues
from transforms.core.decoding.wire import (
    Envelope,
    ExceptionFacts,
    Measurements,
    Properties,
    Tags,
    attribute,
)

_NO_PROPERTIES, _NO_MEASUREMENTS, _NO_TAGS, _NO_STAMP = Properties(), Measurements(), Tags(), Collector()
_USER_FIELD = load("event").field("user_id")
_FLOATS = pa.float64()
_STRINGS = pa.string()
STAMP = "collector"
"""The group of a stamp's members: every dataset reads all of them."""

_RATES = ("sampleRate", "popSample")
"""Members that are numbers, though they do not stand among the measurements."""

Source = tuple[str, str, str | None]
"""A group of structs, the attribute in it, and the constant that lands where the attribute has any value."""


class WireArrays:
    """The members that a dataset reads, of many events, as Arrow arrays.

    Events are absorbed some hundreds at a time, so that the decoded structs of a
    block are not all held at once. `astuple` takes all members of a struct and
    `zip` turns rows into columns; an attrgetter of the wanted members alone took
    1.7 us an event longer. Members of the fields `unread` stay null: lists of which
    nothing may land are 1.5 kB of an event.
    """

    def __init__(self, dataset: str, unread: Iterable[str] = ()) -> None:
        self._members = _places_of(dataset)
        sources = sources_of(dataset)
        self._unread = {(group, name) for field in unread for group, name, _ in sources.get(field, ())}
        self._parts: dict[tuple[str, str], list[pa.Array | int]] = defaultdict(list)  # a number: so many nulls
        self._arrays: dict[tuple[str, str], pa.Array] = {}

    def absorb(self, events: Sequence[Envelope]) -> None:
        """Copies the wanted members of the events, which may be forgotten then."""
        nothing = (None,) * len(events)
        for group, members in self._members.items():
            columns = list(zip(*map(astuple, _structs(group, events)), strict=True))
            for key, place, kind in members:
                values = nothing if key in self._unread else columns[place]
                self._parts[key].append(len(events) if values == nothing else pa.array(values, kind))

    def get(self, group: str, name: str) -> pa.Array:
        """The values of one member, as text or float64; null where an event has none, or empty text."""
        key = (group, name)
        if key not in self._arrays:
            kind = _kind(group, name)
            values = _joined(self._parts.pop(key), kind)
            self._arrays[key] = _without_empty(values) if kind is _STRINGS and group != STAMP else values
        return self._arrays[key]


def _kind(group: str, name: str) -> pa.DataType:
    if name == "snippet_consent":
        return pa.bool_()
    return _FLOATS if group == "measurements" or name in _RATES else _STRINGS


def _joined(parts: Sequence[pa.Array | int], kind: pa.DataType) -> pa.Array:
    if all(isinstance(part, int) for part in parts):
        return pa.nulls(sum(parts), kind)
    return pa.concat_arrays([pa.nulls(part, kind) if isinstance(part, int) else part for part in parts])


def _structs(group: str, events: Sequence[Envelope]) -> Sequence[Any]:
    if group == "properties":
        return [e.data.baseData.properties or _NO_PROPERTIES for e in events]
    if group == "measurements":
        return [e.data.baseData.measurements or _NO_MEASUREMENTS for e in events]
    if group == "tags":
        return [e.tags or _NO_TAGS for e in events]
    if group == "exception":
        return [exception_facts(e) for e in events]
    if group == STAMP:
        return [e.collector or _NO_STAMP for e in events]
    return events


_STRUCTS: dict[str, type[msgspec.Struct]] = {
    "properties": Properties, "measurements": Measurements, "tags": Tags, "exception": ExceptionFacts,
    "envelope": Envelope, STAMP: Collector,
}  # fmt: skip


@cache
def _places_of(dataset: str) -> dict[str, list[tuple[tuple[str, str], int, pa.DataType]]]:
    """Group -> key, place in the group's struct, and type of each member that the dataset reads, stamps too."""
    members = {**members_of(dataset), STAMP: Collector.__struct_fields__}
    return {
        group: [((group, n), _STRUCTS[group].__struct_fields__.index(n), _kind(group, n)) for n in names]
        for group, names in members.items()
    }


@cache
def members_of(dataset: str) -> dict[str, tuple[str, ...]]:
    """Group -> the attributes that the dataset reads from it, each once."""
    members: dict[str, dict[str, None]] = {}
    for sources in sources_of(dataset).values():
        for group, name, _ in sources:
            members.setdefault(group, {})[name] = None
    return {group: tuple(names) for group, names in members.items()}


@cache
def sources_of(dataset: str) -> dict[str, tuple[Source, ...]]:
    """Field -> where it may come from, in order; only fields that are read from the events themselves, and USER."""
    found = {}
    for name, field in _fields_read(dataset).items():
        parts = [s.partition("=>") for s in field.sources if not s.startswith("collector.")]
        if parts:
            found[name] = tuple((*attribute(p[0]), p[2] or None) for p in parts)
    return found


@cache
def _fields_read(dataset: str) -> Mapping[str, Field]:
    """The fields of a dataset by the names under which they are read."""
    fields = {field.name: field for field in load(dataset).fields}
    return fields if _USER_FIELD.name in fields else {**fields, USER: _USER_FIELD}


def _coalesced(sources: Sequence[Source], arrays: WireArrays) -> pa.Array:
    found = None
    for group, name, constant in sources:
        values = arrays.get(group, name)
        if values.null_count == len(values) and found is not None:
            continue
        if constant is not None:
            values = pc.if_else(values.is_valid(), constant, pa.scalar(None, _STRINGS))
        if found is not None and found.type != values.type:
            values, found = values.cast(_STRINGS), found.cast(_STRINGS)
        found = values if found is None or found.null_count == len(found) else pc.coalesce(found, values)
        if found.null_count == 0:
            break
    return found


def _listed(sources: Sequence[Source], arrays: WireArrays) -> pa.Array:
    """All lists of an event as one, with `;` between them; null where it has none."""
    found = [arrays.get(group, name) for group, name, _ in sources]
    told = [values for values in found if values.null_count < len(values)]
    if len(told) < 2:
        return told[0] if told else found[0]
    # Not null_handling="skip": PyArrow 25 then leaves rows out in which all are null.
    joined = pc.binary_join_element_wise(*(values.fill_null("") for values in told), ";")
    return pc.if_else(pc.coalesce(*told).is_valid(), joined, None)


def _without_empty(texts: pa.Array) -> pa.Array:
    if texts.null_count == len(texts) or not _has_empty(texts):
        return texts
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, _STRINGS), texts)


def _has_empty(texts: pa.Array) -> bool:
    """Counts the offsets that do not move, as for nulls and empty texts: a fifth of what Arrow's functions take."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.count_nonzero(np.diff(offsets)) < len(texts) - texts.null_count


def raw_columns(schema: Schema, arrays: WireArrays, count: int) -> tuple[dict[str, pa.Array], WrongValues]:
    """Every field that is read from the wire, in its own type, and which rows hold an invalid value.

    Text that will become a pseudonym, or be scrubbed or encrypted, is still clear. An invalid value (a number
    out of range, text that is no number or no time) is null in its column and marked as wrong.
    """
    wrong = WrongValues(schema, count)
    columns = {}
    for name, sources in sources_of(schema.name).items():
        field = _fields_read(schema.name)[name]
        values = (_listed if field.parse == LISTED else _coalesced)(sources, arrays)
        columns[name] = _typed(field, values, wrong)
    return columns, wrong


def _typed(field: Field, values: pa.Array, wrong: WrongValues) -> pa.Array:
    if values.null_count == len(values):
        return pa.nulls(len(values), field.type)
    typed = convert(field, values)
    if typed.null_count > values.null_count:
        wrong.mark(field.name, np.asarray(pc.and_(values.is_valid(), typed.is_null())))
    return typed
