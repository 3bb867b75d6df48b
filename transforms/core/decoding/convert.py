"""Text and numbers of the wire -> the type that the field's schema names; null where a value does not fit."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.fields import Field
from transforms.core.times import TIMESTAMP, parse_times, within_calendar

_TRUE, _FALSE = {"true", "1", "1.0"}, {"false", "0", "0.0"}
_MOST_EPOCH_S = 1e12  # far outside of the calendar, and its microseconds still fit into 64 bits


def convert(field: Field, values: pa.Array) -> pa.Array:
    """The values in the field's type. A value that does not fit becomes null, never another value."""
    if pa.types.is_timestamp(field.type):
        return _timestamps(values)
    if pa.types.is_boolean(field.type):
        return _booleans(values)
    if pa.types.is_string(field.type):
        return values if pa.types.is_string(values.type) else values.cast(pa.string())
    try:
        return values.cast(field.type)
    except pa.ArrowInvalid:
        return pa.array([_number(v, field.type) for v in values.to_pylist()], field.type)


def _number(value: Any, kind: pa.DataType) -> Any:
    try:
        return pa.scalar(value).cast(kind).as_py()
    except pa.ArrowInvalid:
        return None


def _timestamps(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type):
        return parse_times(values)
    seconds = pc.if_else(pc.less(pc.abs(values), _MOST_EPOCH_S), values, pa.scalar(None, pa.float64()))
    return within_calendar(pc.multiply(seconds, 1e6).cast(pa.int64(), safe=False).cast(TIMESTAMP))


def _booleans(values: pa.Array) -> pa.Array:
    if not pa.types.is_string(values.type):
        known = pc.or_(pc.equal(values, 0.0), pc.equal(values, 1.0))  # is_in takes -0.0 for another number
        return pc.if_else(known, pc.equal(values, 1.0), pa.scalar(None, pa.bool_()))
    meaning = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
    return _mapped(values, lambda text: meaning.get(text.lower()), pa.bool_())


def _mapped(values: pa.Array, function: Any, kind: pa.DataType) -> pa.Array:
    """The function's result for each value. It is called once for each distinct one, and most columns have few."""
    coded = values.dictionary_encode()
    meanings = pa.array([function(v) for v in coded.dictionary.to_pylist()], kind)
    return meanings.take(coded.indices)
