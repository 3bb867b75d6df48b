"""A payload's bytes -> the event in it, as `wire` structs.

The three clients differ in how an exception is wrapped and where an event has
its name; after this module they are alike.
"""

import json
from hashlib import sha256
from typing import Any

import msgspec

from schemas.errors import InvalidEvent, MalformedPayload
from transforms.core.consent import lowest
from transforms.core.decoding.loose_json import read_json
from transforms.core.decoding.tolerant import tolerant_event
from transforms.core.decoding.wire import Envelope, EnvelopeReader, ExceptionFacts, WireException

_READER = EnvelopeReader()
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_SECOND_PART = b'_02"'
_SPLIT_AT_BYTES = 8192  # only a longer value is split; looking through every line costs 2 us an event
_SEVERITIES = {
    "verbose": "0", "debug": "0", "trace": "0", "information": "1", "info": "1", "warning": "2", "warn": "2",
    "error": "3", "critical": "4", "fatal": "4",
}  # fmt: skip


class _ObjectException(msgspec.Struct, gc=False):
    exceptions: list[WireException] = []


def decode_event(line: bytes, *, is_stamped: bool = False) -> Envelope:
    """One envelope; raises MalformedPayload or InvalidEvent.

    Values that the client split over `key`, `key_02`, … are joined. Where the line bears several stamps, the one
    with the lowest level becomes its collector. `is_stamped`: the request has a stamp, so the line's own do not count.
    """
    if len(line) > _SPLIT_AT_BYTES and _SECOND_PART in line:
        return tolerant_event(line, is_stamped=is_stamped)
    stamps = _READER.stamps
    stamps.clear()
    try:
        event = _READER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return tolerant_event(line, is_stamped=is_stamped)
    if len(stamps) > 1:
        event.collector = lowest(stamps)
    return event


def exception_facts(event: Envelope) -> ExceptionFacts:
    """Type, message and stack of an event's first exception; empty where it has none.

    extension-telemetry puts the true exception, as JSON text, into the message
    of one whose type is "Object".
    """
    base = event.data.baseData
    if not base.exceptions:
        return ExceptionFacts()
    first = base.exceptions[0]
    if first.typeName == "Object" and (first.message or "").startswith("{"):
        try:
            inner = msgspec.json.decode(first.message or "", type=_ObjectException).exceptions
        except (msgspec.MsgspecError, RecursionError):
            inner = []  # an object that is no exception: its text is the message, and is scrubbed
        first = inner[0] if inner else first
    return ExceptionFacts(first.typeName, first.message, _stack(first), _severity(base.severityLevel))


def _severity(level: int | str | None) -> str | None:
    """0 to 4 as text: a word such as `warning` as its number, and any other value as it is."""
    if level is None:
        return None
    text = str(level).removesuffix(".0")
    return _SEVERITIES.get(text.strip().lower(), text)


def _stack(exception: WireException) -> str | None:
    if exception.stack or not exception.parsedStack:
        return exception.stack
    lines = []
    for frame in exception.parsedStack:
        place = f"{frame.fileName or ''}:{frame.line or 0}"
        lines.append(frame.assembly or f"at {frame.method or '<anonymous>'} ({place})")
    return "\n".join(lines)


def wire_name(event: Envelope) -> str:
    """The event's name as its client wrote it, `exception` for ExceptionData; raises InvalidEvent where it has none.

    `event_names` says what becomes of it.
    """
    base = event.data.baseData
    if event.data.baseType == "ExceptionData" or base.exceptions:
        return "exception"
    name = base.name or (event.name if event.data.baseType is None else None)
    if not name:
        raise InvalidEvent("an event without a name", "data.baseData.name", "text")
    return name


def event_digest(line: bytes) -> str:
    """The duplicate key of an event whose client sends none: a digest of everything in it but the stamp.

    The order of members and the spacing do not matter, and a retried upload
    differs only in its stamp, so both give the same digest. Members that no
    schema names are first read here; where they are not JSON, the digest is of
    the bytes as they are.
    """
    try:
        document = read_json(line)
        document.pop("collector", None)
        canonical = _canonical(document)
    except (MalformedPayload, RecursionError):
        canonical = line
    return sha256(canonical).hexdigest()


def _canonical(document: Any) -> bytes:
    try:
        return _encode_sorted(document)
    except (OverflowError, UnicodeEncodeError):  # an integer beyond 64 bits, or half a character: read, not written
        return json.dumps(document, sort_keys=True).encode()
