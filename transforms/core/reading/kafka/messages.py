"""Messages of Kafka, unpacked, and blocks of them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

import pyarrow as pa
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

from transforms.core.blocks import Block, RawRequest
from transforms.core.times import plausible_receive_times

_STAMP_HEADERS = frozenset(("received_at", "client_ip", "telemetry_level", "snippet_consent"))
_CONSENT_HEADERS = ("telemetry_level", "snippet_consent")
_TRUE = ("true", "1")


class Arrived(NamedTuple):
    """The content of a message; `appended_ms` is None where it does not bear the broker's append time."""

    partition: int
    offset: int
    appended_ms: int | None
    headers: dict[str, Any]
    value: bytes


def unpacked(message: Message) -> Arrived:
    """Call it right after the message came: a second later, out of the processor's cache, it took 3 us longer."""
    kind, time_ms = message.timestamp()
    return Arrived(
        *place(message),
        time_ms if kind == TIMESTAMP_LOG_APPEND_TIME else None,
        _stamp(list(message.headers() or ())),
        message.value() or b"",
    )


def place(message: Message) -> tuple[int, int]:
    """Partition and offset; what was consumed has both."""
    return cast(int, message.partition()), cast(int, message.offset())


def _stamp(headers: Sequence[Any]) -> dict[str, Any]:
    """Headers by name. A name may stand twice; consent that is stated in two different ways counts as none."""
    stamp = dict(headers)
    if len(stamp) < len(headers):
        for name, value in headers:
            if name in _CONSENT_HEADERS and stamp[name] != value:
                stamp[name] = None
    return stamp


def block_of(messages: Iterable[Arrived]) -> Block:
    """Messages with a stamp in their headers as requests, raw lines with a stamp of their own as lines.

    Any other message, such as a body of many lines or a compressed one, is a request without a stamp: the events
    in it may bear their own.
    """
    block = Block()
    requests = []
    for message in messages:
        value = message.value
        if _STAMP_HEADERS.isdisjoint(message.headers) and value[:1] == b"{" and _is_stamped_line(value):
            block.lines.append(value)
        else:
            requests.append(message)
    if not requests:
        return block
    _, _, appended, stamps, values = zip(*requests, strict=True)
    columns = [
        _receive_times(_texts(stamps, "received_at"), appended),
        _texts(stamps, "client_ip"),
        _texts(stamps, "telemetry_level"),
        [text is not None and text.strip().lower() in _TRUE for text in _texts(stamps, "snippet_consent")],
        _texts(stamps, "content_type"),
        _texts(stamps, "content_encoding"),
        values,
        [not _STAMP_HEADERS.isdisjoint(stamp) for stamp in stamps],
    ]
    block.requests.extend(map(RawRequest._make, zip(*columns, strict=True)))
    return block


def _is_stamped_line(value: bytes) -> bool:
    return b'"collector"' in value and b"\n" not in value


def _receive_times(given: list[str | None], appended_ms: Sequence[int]) -> list[str]:
    """The header's time; the broker's append time where the header is missing or not a time."""
    texts = pa.array(given, pa.string())
    is_time = plausible_receive_times(texts).is_valid()
    if is_time.true_count == len(given):
        return cast(list[str], given)
    moments = list(set(appended_ms))  # a second has a thousand at most, of however many messages
    shown = dict(zip(moments, pa.array(moments, pa.timestamp("ms", "UTC")).cast(pa.string()).to_pylist(), strict=True))
    rows = zip(given, is_time.to_pylist(), appended_ms, strict=True)
    return [cast(str, own) if is_own else shown[moment] for own, is_own, moment in rows]


def _texts(stamps: Sequence[dict[str, Any]], name: str) -> list[str | None]:
    """A header of each message. Most messages share few distinct values, so each value is decoded once."""
    found = [stamp.get(name) for stamp in stamps]
    meaning = {value: _text(value) for value in set(found)}
    return [meaning[value] for value in found]


def _text(header: bytes | str | None) -> str | None:
    return header.decode(errors="replace") if isinstance(header, bytes) else header
