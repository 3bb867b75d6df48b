"""Reads envelopes that the strict reader refuses.

Some clients send booleans and numbers where others send text, characters that
they cut in two, or bytes that are not UTF-8. A value that can only mean one thing
is read as that; anything else is refused, with the place that is wrong. This is
slower than the strict reader and runs only where that one failed.
"""

import re
from typing import Any

import msgspec
import pyarrow as pa

from schemas.errors import InvalidEvent, MalformedPayload
from schemas.registry import event_schemas
from transforms.core.consent import Collector
from transforms.core.decoding.loose_json import DEEPEST, read_members, whole_text
from transforms.core.decoding.split_values import join_split_values
from transforms.core.decoding.stamps import STAMP_TYPES, settled
from transforms.core.decoding.wire import (
    BaseData,
    Data,
    Envelope,
    Frame,
    Measurements,
    Properties,
    Tags,
    WireException,
    names_of,
)

_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")
_PROPERTIES, _MEASUREMENTS, _TAGS = map(names_of, ("properties", "measurements", "tags"))
_FLAGS = frozenset(
    source.removeprefix("measurements.")
    for schema in event_schemas().values()
    for field in schema.fields
    for source in field.sources
    if pa.types.is_boolean(field.type)
)
"""Measurements that say yes or no. A boolean means the same there; in other measurements it is not a number."""

_NO_NUMBER = frozenset(("", "undefined", "null"))
"""What clients write where they have no number: the Application Insights library for browsers, which extensions use,
writes a measurement that is not there as the word undefined. Most next edits have dozens of these."""

_BASE = "data.baseData"


def tolerant_event(line: bytes, *, is_stamped: bool) -> Envelope:
    """An envelope, its split values joined.

    `is_stamped`: its request has a stamp, so the line's own stamp is not read. Raises MalformedPayload, or
    InvalidEvent with the field that is wrong and what it must be.
    """
    try:
        return _envelope(line, is_stamped)
    except RecursionError:
        raise MalformedPayload("too deep", None, DEEPEST) from None


def _envelope(line: bytes, is_stamped: bool) -> Envelope:
    members, stamps = read_members(line, "collector")
    if not isinstance(members, dict):
        raise _wrong("envelope", "object")
    return Envelope(
        _data(members.get("data")),
        name=_name(members.get("name"), "name"),
        time=as_text(members.get("time")),
        tags=_struct(Tags, _texts(members.get("tags"), _TAGS, "tags")),
        sampleRate=_rate(members.get("sampleRate")),
        popSample=_rate(members.get("popSample")),
        collector=None if is_stamped else _own_stamp(stamps),
    )


def _wrong(field: str, expected: str) -> InvalidEvent:
    return InvalidEvent("JSON of another shape than an event", field, expected)


def _own_stamp(values: list[Any]) -> Collector | None:
    """The line's own stamp; None where it has none, or only null, so that the time of its request counts."""
    if all(value is None for value in values):
        return None
    stamp = settled(values)
    if stamp.wrong is not None:
        raise _wrong(f"collector.{stamp.wrong}".rstrip("."), STAMP_TYPES[stamp.wrong])
    return stamp.collector


def _data(data: Any) -> Data:
    if not isinstance(data, dict):
        raise _wrong("data", "object")
    base = data.get("baseData")
    if base is None and ("properties" in data or "measurements" in data):
        base = data  # Common Schema without a part B
    if not isinstance(base, dict):
        raise _wrong(_BASE, "object")
    severity = base.get("severityLevel")
    return Data(
        BaseData(
            name=_name(base.get("name"), f"{_BASE}.name"),
            properties=_struct(Properties, _properties(base.get("properties"))),
            measurements=_struct(Measurements, _measurements(base.get("measurements"))),
            exceptions=_exceptions(base.get("exceptions")),
            severityLevel=as_text(severity),
        ),
        baseType=_name(data.get("baseType"), "data.baseType"),
    )


def _struct(kind: Any, members: dict[str, Any] | None) -> Any:
    return None if members is None else msgspec.convert(members, kind)


def _name(value: Any, field: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _wrong(field, "text")
    return None if value is None else whole_text(value)


def as_text(value: Any) -> str | None:
    """Text as it is, any other value as JSON text; null counts as missing."""
    if value is None:
        return None
    if isinstance(value, str):
        return whole_text(value)
    try:
        return msgspec.json.encode(value).decode()
    except (OverflowError, UnicodeEncodeError):  # a number beyond 64 bits, half a character
        return msgspec.json.encode(_encodable(value)).decode()


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else msgspec.Raw(str(value))
    if isinstance(value, list):
        return [_encodable(v) for v in value]
    if isinstance(value, dict):
        return {whole_text(k): _encodable(v) for k, v in value.items()}
    return value


def _texts(values: Any, wanted: frozenset[str], field: str) -> dict[str, str | None] | None:
    if values is None:
        return None
    if not isinstance(values, dict):
        raise _wrong(field, "object of texts")
    return {
        name: value if type(value) is str and value.isascii() else as_text(value)  # most are: half of the time less
        for name, value in values.items()
        if name in wanted
    }


def _properties(values: Any) -> dict[str, str | None] | None:
    joined = join_split_values(values) if isinstance(values, dict) else values
    return _texts(joined, _PROPERTIES, f"{_BASE}.properties")


def _measurements(values: Any) -> dict[str, float | None] | None:
    if values is None:
        return None
    if not isinstance(values, dict):
        raise _wrong(f"{_BASE}.measurements", "object of numbers")
    return {
        name: value if type(value) is float else as_number(value, name)
        for name, value in values.items()
        if name in _MEASUREMENTS
    }


def as_number(value: Any, name: str) -> float | None:
    """A number, or text that is one; null and empty text count as missing. Raises InvalidEvent."""
    if value is None or (isinstance(value, str) and value in _NO_NUMBER):
        return None
    if isinstance(value, bool):
        is_number = name in _FLAGS
    else:
        is_number = isinstance(value, (int, float)) or (isinstance(value, str) and _is_number(value))
    try:
        if is_number:
            return float(value)
    except OverflowError:  # a whole number beyond what a double holds
        pass
    raise _wrong(f"{_BASE}.measurements.{name}", "number")


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and abs(float(text)) < float("inf")


def _rate(value: Any) -> float | None:
    """A number, or text that is one; any other value says nothing about sampling."""
    try:
        return None if isinstance(value, bool) or value is None else as_number(value, "")
    except InvalidEvent:
        return None


def _exceptions(values: Any) -> list[WireException] | None:
    field = f"{_BASE}.exceptions"
    if values is None:
        return None
    if not _is_objects(values):
        raise _wrong(field, "list of objects")
    return [
        WireException(
            as_text(each.get("typeName")), as_text(each.get("message")), as_text(each.get("stack")),
            _frames(each.get("parsedStack"), f"{field}.parsedStack"),
        )
        for each in values
    ]  # fmt: skip


def _frames(values: Any, field: str) -> list[Frame] | None:
    if values is None:
        return None
    if not _is_objects(values):
        raise _wrong(field, "list of objects")
    return [
        Frame(
            as_text(each.get("method")),
            as_text(each.get("fileName")),
            _line(each.get("line")),
            as_text(each.get("assembly")),
        )
        for each in values
    ]


def _is_objects(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, dict) for value in values)


def _line(value: Any) -> int | None:
    try:
        number = as_number(value, "")
    except InvalidEvent:
        return None
    return None if number is None else int(number)
