"""A payload's bytes -> the events in it, as `wire` structs.

The three clients differ in how many events a body holds and how an exception
is wrapped; after this module they are alike.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from schemas.errors import (
    InvalidEvent,
    MalformedPayload,
    PayloadTooLarge,
    RejectedEvent,
)
from transforms.core.event_names import contract_name
from transforms.core.wire import Collector, Envelope, ExceptionFacts, Stamped, WireException

MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
"""A line or body longer than this is quarantined without its bytes; VS Code's clients stop at 1 MB."""

_decode_envelope: Callable[[bytes], Envelope] = msgspec.json.Decoder(Envelope).decode
_decode_stamp = msgspec.json.Decoder(Stamped).decode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_SECOND_PART = b'_02"'
_SPLIT_AT_CHARS = 8192  # only a longer value is split; looking through every line costs 2 us an event
_MAX_PARTS = 50


class _ObjectException(msgspec.Struct, gc=False):
    exceptions: list[WireException] = []


_T = TypeVar("_T")


def _checked(decode: Callable[[bytes], _T], data: bytes) -> _T:
    try:
        return decode(data)
    except msgspec.ValidationError:
        raise InvalidEvent("JSON of another shape than an event") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedPayload("not JSON") from None


def decode_event(line: bytes) -> Envelope:
    """One envelope; raises MalformedPayload or InvalidEvent.

    Values that the client split over `key`, `key_02`, … are whole again.
    """
    if len(line) > _SPLIT_AT_CHARS and _SECOND_PART in line:
        return _decode_joined(line)
    return _checked(_decode_envelope, line)


def _decode_joined(line: bytes) -> Envelope:
    document = _checked(msgspec.json.decode, line)
    try:
        properties = document["data"]["baseData"]["properties"]
        document["data"]["baseData"]["properties"] = join_split_values(properties)
    except (TypeError, KeyError, AttributeError):
        pass  # of another shape than an event: the conversion below says so
    try:
        return msgspec.convert(document, Envelope)
    except msgspec.ValidationError:
        raise InvalidEvent("JSON of another shape than an event") from None


def join_split_values(properties: dict[str, Any]) -> dict[str, Any]:
    """`key`, `key_02`, `key_03`, … put together under `key`.

    Only an unbroken run of string parts that starts at `_02` beside a string
    `key` is joined; anything else stays as it is. Parts may stand in any order.
    """
    joined = dict(properties)
    for name, value in properties.items():
        first = f"{name}_02"
        if first not in properties or not isinstance(value, str):
            continue
        parts = [value]
        for number in range(2, _MAX_PARTS + 1):
            part = properties.get(f"{name}_{number:02d}")
            if not isinstance(part, str):
                break
            parts.append(part)
            joined.pop(f"{name}_{number:02d}", None)
        joined[name] = "".join(parts)
    return joined


def split_body(body: bytes) -> Iterator[bytes]:
    """The events of a request body, each as bytes: a JSON array's members or lines.

    Raises MalformedPayload where an array does not end as one.
    """
    if body.lstrip()[:1] == b"[":
        for raw in _checked(_decode_raws, body):
            yield bytes(raw)
        return
    for line in body.split(b"\n"):
        if line.strip():
            yield line


def decompress_body(body: bytes) -> bytes:
    """The body, gunzipped where its first bytes say gzip (the header may be lost on the way).

    Raises PayloadTooLarge past MAX_PAYLOAD_BYTES, MalformedPayload where gzip ends early.
    """
    if body[:2] != b"\x1f\x8b":
        return body
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(body, MAX_PAYLOAD_BYTES + 1)
    except zlib.error:
        raise MalformedPayload("not gzip") from None
    if len(plain) > MAX_PAYLOAD_BYTES:
        raise PayloadTooLarge(f"more than {MAX_PAYLOAD_BYTES} bytes when decompressed")
    if not stream.eof:
        raise MalformedPayload("gzip ends early")
    return plain


def read_stamp(line: bytes) -> Collector | None:
    """The stamp of a line whose event is of a wrong shape, an empty one where it has none; None where
    that too is unreadable.
    """
    try:
        return _checked(_decode_stamp, line).collector or Collector()
    except RejectedEvent:
        return None


def exception_facts(event: Envelope) -> ExceptionFacts:
    """Type, message and stack of an event's first exception; empty where it has none.

    extension-telemetry wraps the true exception as JSON text in the message of
    one whose type is "Object".
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
    severity = None if base.severityLevel is None else str(base.severityLevel)
    return ExceptionFacts(first.typeName, first.message, _stack(first), severity)


def _stack(exception: WireException) -> str | None:
    if exception.stack or not exception.parsedStack:
        return exception.stack
    lines = []
    for frame in exception.parsedStack:
        place = f"{frame.fileName or ''}:{frame.line or 0}"
        lines.append(frame.assembly or f"at {frame.method or '<anonymous>'} ({place})")
    return "\n".join(lines)


def wire_name(event: Envelope) -> str:
    """The name by which the contract routes the event, or all of its name; raises InvalidEvent where it has none.

    `copilot/ghostText.shown` -> `ghostText.shown`; ExceptionData -> `exception`.
    """
    base = event.data.baseData
    if event.data.baseType == "ExceptionData" or base.exceptions:
        return "exception"
    name = base.name or (event.name if event.data.baseType is None else None)
    if not name:
        raise InvalidEvent("an event without a name")
    return contract_name(name)


def event_digest(line: bytes) -> str:
    """The duplicate key of an event whose client sends none: a digest of all of it but the stamp.

    Members in any order and any spacing give the same digest; a retried upload
    differs only in the stamp and so has the same one. Members that no schema
    names are not looked at until here; where they are no JSON, it is the digest
    of the bytes.
    """
    try:
        document = msgspec.json.decode(line)
        document.pop("collector", None)
        canonical = _canonical(document)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        canonical = line
    return sha256(canonical).hexdigest()


def _canonical(document: Any) -> bytes:
    try:
        return _encode_sorted(document)
    except OverflowError:  # an integer beyond 64 bits, which msgspec reads but does not write
        return json.dumps(document, sort_keys=True).encode()
