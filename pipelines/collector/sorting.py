"""The events of a body, sorted by what their ingestion keys stand for."""

import json
from typing import Any, NamedTuple

import msgspec

from pipelines.collector.ingestion_keys import IngestionKeys, Standing, plain_key
from pipelines.collector.refusals import Refused
from schemas.errors import MalformedPayload
from transforms.core.decoding.bodies import split_body

_MAX_EVENTS = 20_000
"""In one body; the clients send 250 to 500. It bounds the list of refusals in an answer."""

_MAX_SEPARATORS = 1_000_000
"""Line breaks, or commas of an array, in one body: 16 MiB of `1,` would be 8 million events before they are counted."""

_LINES = "application/x-json-stream"
_ARRAY = "application/json"


class _Keyed(msgspec.Struct, gc=False):
    iKey: str | None = None


_decode_keyed = msgspec.json.Decoder(_Keyed).decode


class Why:
    """Why one event is refused, in the words of the answer."""

    UNKNOWN_KEY = "Invalid instrumentation key"
    NOT_JSON = "Not a JSON object"


class Refusal(NamedTuple):
    """One event that is not taken; `number` counts the body's events from 0."""

    number: int
    why: str


class Portion(NamedTuple):
    """Events under one standing; `body` is None where they are all of the request's body, as it was sent."""

    standing: Standing
    events: int
    body: bytes | None
    content_type: str | None


class Sorted(NamedTuple):
    """All events of a body, in portions or refused."""

    events: int
    portions: list[Portion]
    refusals: list[Refusal]


class _KeyReader:
    """The key of each event; a body's events have one key nearly always."""

    def __init__(self, keys: IngestionKeys) -> None:
        self._keys = keys
        self._known: dict[str | None, Standing | None] = {None: None}

    def standing(self, event: bytes) -> Standing | str:
        """What the event's key stands for, or why it is refused."""
        try:
            key = _decode_keyed(event).iKey
        except msgspec.ValidationError:
            return Why.NOT_JSON if event.lstrip()[:1] != b"{" else Why.UNKNOWN_KEY
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:
                key = _lenient_key(event)
            except MalformedPayload:
                return Why.NOT_JSON
        if key not in self._known:
            self._known[key] = self._keys.get(plain_key(key or ""))
        return self._known[key] or Why.UNKNOWN_KEY


def _lenient_key(event: bytes) -> str | None:
    """The key of what only a lenient parser reads: half a character in a text, a NaN. The jobs decide about those.

    Raises MalformedPayload on what is no JSON object even so.
    """
    try:
        document: Any = json.loads(event.decode(errors="replace"))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise MalformedPayload("not a JSON object")
    key = document.get("iKey")
    return key if isinstance(key, str) else None


def sort_events(body: bytes, keys: IngestionKeys) -> Sorted:
    """Every event under what its key stands for.

    Raises Refused: 400 where there is no event or an array does not end as
    one, 413 where there are too many.
    """
    is_array = body.lstrip()[:1] == b"["
    if len(body) > _MAX_SEPARATORS and body.count(b"," if is_array else b"\n") > _MAX_SEPARATORS:
        raise Refused(413, f"more than {_MAX_EVENTS} events in one body")
    events = _split(body)
    if not events:
        raise Refused(400, "no event in the body")
    if len(events) > _MAX_EVENTS:
        raise Refused(413, f"more than {_MAX_EVENTS} events in one body")
    reader = _KeyReader(keys)
    taken: dict[Standing, list[bytes]] = {}
    refusals = []
    for number, event in enumerate(events):
        standing = reader.standing(event)
        if isinstance(standing, Standing):
            taken.setdefault(standing, []).append(event)
        else:
            refusals.append(Refusal(number, standing))
    if len(taken) == 1 and not refusals:
        (standing,) = taken
        return Sorted(len(events), [Portion(standing, len(events), None, None)], [])
    portions = [_portion(standing, part, is_array) for standing, part in taken.items()]
    return Sorted(len(events), portions, refusals)


def _split(body: bytes) -> list[bytes]:
    """As the jobs split it; an array that only a lenient parser reads, too."""
    try:
        return list(split_body(body))
    except MalformedPayload:
        pass
    try:
        members = json.loads(body.decode(errors="replace"))
        return [json.dumps(member).encode() for member in members]
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not one JSON array, nor one JSON object a line") from None


def _portion(standing: Standing, events: list[bytes], is_array: bool) -> Portion:
    """A body of its own, in the form of the whole: members of an array may hold line breaks."""
    body = b"[" + b",".join(events) + b"]" if is_array else b"\n".join(events)
    return Portion(standing, len(events), body, _ARRAY if is_array else _LINES)
