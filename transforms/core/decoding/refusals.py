"""Events that cannot be decoded: withheld where their user said off, else quarantined, with or without their bytes."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import Reason, RejectedEvent
from schemas.registry import Schema
from transforms.core.batches import Origins
from transforms.core.blocks import RawRequest
from transforms.core.carried import month_column
from transforms.core.consent import Collector, may_keep_body, rank_of
from transforms.core.decoding.expected import WrongValues, expected_of, months_of
from transforms.core.decoding.stamps import Stamp, stamp_of
from transforms.core.keys.step_keys import QuarantineKeys
from transforms.core.quarantine.rows import Payload, Quarantine, Refusal
from transforms.core.times import date_of, days_of, plausible_receive_times, salvage_receive_time

_NOT_JSON = (Reason.MALFORMED_PAYLOAD, Reason.PAYLOAD_TOO_LARGE, Reason.UNPROCESSABLE)
_NO_TIME = Refusal(Reason.MISSING_RECEIVED_AT, "received_at", "a time as ISO 8601, of the years 2000 to 2099")


def refusal_of(rejected: RejectedEvent) -> Refusal:
    """What decoding an event raised, as its quarantine row tells it."""
    return Refusal(rejected.reason, rejected.field, rejected.expected)


def payload_of(line: bytes, request: RawRequest | None) -> Payload:
    """The event in a form that can go through the job again: with its request where that one bears the stamp."""
    return Payload(line, request if request is not None and request.is_stamped else None)


def refuse(
    quarantine: Quarantine, withhold: Callable[[str | None], None],
    line: bytes, request: RawRequest | None, stamp: Collector | None, refusal: Refusal,
) -> str | None:  # fmt: skip
    """Quarantines an event that cannot be decoded, or withholds it where its user said off; gives its receive time.

    `stamp` is the request's; where it is None, whatever stamp can be read in the line counts. An event whose
    consent cannot be read is quarantined without its bytes: somebody shall see it, but nobody what is in it.
    """
    found = Stamp(stamp) if stamp is not None else stamp_of(line)
    received_at = _receive_time(found, line, request)
    text = received_at.isoformat() if received_at else None
    if found is not None and found.wrong not in ("", "telemetry_level") and rank_of(found.collector) == 0:
        withhold(text)
        return text
    whole = found.collector if found is not None and found.wrong is None else None
    keep_body = refusal.reason != Reason.PAYLOAD_TOO_LARGE and may_keep_body(
        line, whole, is_json=refusal.reason not in _NOT_JSON
    )
    quarantine.add(payload_of(line, request), refusal, received_at, keep_body=keep_body)
    return text


def _receive_time(found: Stamp | None, line: bytes, request: RawRequest | None) -> datetime | None:
    """The stamp's time; without a stamp what looks like one in the line; else the request's. None: there is none."""
    received_at: datetime | None = None
    if found is not None:
        received_at = _plausible(found.collector.received_at)
    elif request is None:
        received_at = salvage_receive_time(line)
    if received_at is None and request is not None:
        received_at = _plausible(request.received_at)
    return received_at


def _plausible(text: str | None) -> datetime | None:
    found: datetime | None = plausible_receive_times(pa.array([text], pa.string()))[0].as_py()
    return found


def outside_ring(ring: QuarantineKeys, received: pa.Array) -> np.ndarray:
    """Which events (a mask) were received in a month that has no key."""
    outside = np.zeros(len(received), dtype=bool)
    bounds = pc.min_max(received)
    ends = days_of(pa.array([bounds["min"].as_py(), bounds["max"].as_py()], received.type))
    if not bounds["min"].is_valid or f"{date_of(ends[0]):%Y-%m}" == f"{date_of(ends[1]):%Y-%m}" in ring.epochs:
        return outside
    months = month_column(received)
    for code, month in enumerate(months.dictionary.to_pylist()):
        if month not in ring.epochs:
            outside |= np.asarray(months.indices) == code
    return outside & np.asarray(received.is_valid())


def refuse_rows(
    quarantine: Quarantine, ring: QuarantineKeys, schema: Schema, origins: Origins, received: pa.Array,
    wrong: WrongValues,
) -> np.ndarray:  # fmt: skip
    """Quarantines the rows that cannot land, each for its first reason; returns which (a mask)."""
    outside = outside_ring(ring, received)
    refused: np.ndarray = wrong.rows | outside
    for row in np.flatnonzero(refused).tolist():
        received_at = received[row].as_py()
        if received_at is None:
            refusal = _NO_TIME
        elif wrong.rows[row]:
            field = wrong.of(row)
            refusal = Refusal(Reason.INVALID_VALUE, field.name, expected_of(field))
        else:
            refusal = Refusal(Reason.OUTSIDE_KEY_RING, "received_at", months_of(ring))
        place = origins.kept[row]
        line = origins.lines[place]
        keep_body = may_keep_body(line, origins.stamps[place], is_json=True)
        payload = Payload(line, origins.requests[place])
        quarantine.add(payload, refusal, received_at, dataset=schema.name, keep_body=keep_body)
    return refused
