"""Decoded structs of one dataset -> Arrow columns, still unprotected.

Column by column, never row by row: one attrgetter pass takes every wanted
member of a struct, `zip` turns rows to columns, Arrow does the rest.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import Field, Schema, event_schemas
from transforms.core.convert import convert
from transforms.core.envelopes import exception_facts
from transforms.core.wire import Envelope, Measurements, Properties, Tags, attribute

_NO_PROPERTIES, _NO_MEASUREMENTS, _NO_TAGS = Properties(), Measurements(), Tags()
_FLOATS = pa.float64()
_STRINGS = pa.string()
Source = tuple[str, str, str | None]
"""A group of structs, the attribute in it, and the constant its presence stands for."""


def groups_of(events: Sequence[Envelope], wanted: Iterable[str]) -> dict[str, list[Any]]:
    """The structs of each wanted group, one per event, in order; never None."""
    bases = [e.data.baseData for e in events]
    makers: dict[str, Callable[[], list[Any]]] = {
        "properties": lambda: [b.properties or _NO_PROPERTIES for b in bases],
        "measurements": lambda: [b.measurements or _NO_MEASUREMENTS for b in bases],
        "tags": lambda: [e.tags or _NO_TAGS for e in events],
        "envelope": lambda: list(events),
        "collector": lambda: [e.collector for e in events],
        "exception": lambda: [exception_facts(e) for e in events],
    }
    return {group: makers[group]() for group in wanted}


@cache
def sources_of(dataset: str) -> dict[str, tuple[Source, ...]]:
    """Field -> where it may come from, in order; only fields that are read from the wire."""
    found = {}
    for field in event_schemas()[dataset].fields:
        parts = [s.partition("=>") for s in field.sources if field.treatment != "geolocate"]
        if parts:
            found[field.name] = tuple((*attribute(p[0]), p[2] or None) for p in parts)
    return found


def wire_arrays(dataset: str, events: Sequence[Envelope]) -> dict[tuple[str, str], pa.Array]:
    """(group, attribute) -> its values as an Arrow array, for all that the dataset reads."""
    wanted: dict[str, dict[str, None]] = {}
    for sources in sources_of(dataset).values():
        for group, name, _ in sources:
            wanted.setdefault(group, {})[name] = None
    arrays = {}
    for group, structs in groups_of(events, wanted).items():
        names = list(wanted[group])
        getter = attrgetter(*names)
        rows: Any = map(getter, structs)
        columns = [list(rows)] if len(names) == 1 else list(zip(*rows, strict=True))
        kind = _FLOATS if group == "measurements" else _STRINGS
        for name, values in zip(names, columns, strict=True):
            arrays[group, name] = pa.array(values, kind)
    return arrays


def _coalesced(sources: Sequence[Source], arrays: dict[tuple[str, str], pa.Array]) -> pa.Array:
    found = None
    for group, name, constant in sources:
        values = arrays[group, name]
        if values.null_count == len(values) and found is not None:
            continue
        if pa.types.is_string(values.type):
            values = _without_empty(values)
        if constant is not None:
            values = pc.if_else(values.is_valid(), constant, pa.scalar(None, _STRINGS))
        if found is not None and found.type != values.type:
            values = values.cast(_STRINGS) if pa.types.is_string(found.type) else values
            found = found if pa.types.is_string(values.type) else found.cast(_STRINGS)
        found = values if found is None else pc.coalesce(found, values)
        if found.null_count == 0:
            break
    return found


def _without_empty(texts: pa.Array) -> pa.Array:
    empty = pc.equal(texts, "")
    return pc.if_else(empty, pa.scalar(None, _STRINGS), texts) if pc.any(empty).as_py() else texts


def raw_columns(schema: Schema, events: Sequence[Envelope]) -> tuple[dict[str, pa.Array], np.ndarray]:
    """Every field that is read from the wire, in its own type, and which rows hold an invalid value.

    Text that will become a pseudonym, or be scrubbed or encrypted, is still
    clear. An invalid value (a number out of range, no number, no time) is null
    in its column and True in the mask.
    """
    arrays = wire_arrays(schema.name, events)
    invalid = np.zeros(len(events), dtype=bool)
    columns = {}
    for name, sources in sources_of(schema.name).items():
        values = _coalesced(sources, arrays)
        columns[name] = _typed(schema.field(name), values, invalid)
    return columns, invalid


def _typed(field: Field, values: pa.Array, invalid: np.ndarray) -> pa.Array:
    if values.null_count == len(values):
        return pa.nulls(len(values), field.type)
    typed = convert(field, values)
    if typed.null_count > values.null_count:
        invalid |= np.asarray(pc.and_(values.is_valid(), typed.is_null()))
    return typed
