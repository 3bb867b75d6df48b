"""Blocks of payloads -> unprotected batches per dataset, quarantine rows and counts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import MissingReceiveTime, PayloadTooLarge, Reason, RejectedEvent
from schemas.registry import LEVELS, PERMITTED, Schema, event_schemas
from transforms.core.batches import EventBatch, Tally
from transforms.core.columns import raw_columns
from transforms.core.derived import derive
from transforms.core.envelopes import (
    MAX_PAYLOAD_BYTES,
    decode_event,
    decompress_body,
    event_digest,
    read_stamp,
    split_body,
    wire_name,
)
from transforms.core.keyring import KeyRing
from transforms.core.payloads import Block, RawRequest
from transforms.core.protect import CLIENT_IP, LEVEL, SNIPPET_CONSENT
from transforms.core.quarantine import Payload, Quarantine
from transforms.core.routing import outside_kind, targets
from transforms.core.times import days_of, plausible_receive_times, salvage_receive_time
from transforms.core.wire import Collector, Envelope, Properties, attribute

_SNIPPETS = "snippets"
_SNIPPET_RANK = LEVELS.index("snippet")
_NEEDED = {name: LEVELS.index(schema.level) for name, schema in event_schemas().items()}
_UNSTAMPED = Collector()
_code_values = attrgetter(*(attribute(s)[1] for f in event_schemas()[_SNIPPETS].fields if f.role for s in f.sources))
_NO_CODE = _code_values(Properties())


@dataclass
class _Rows:
    """Events bound for one dataset, and the payloads they came in."""

    events: list[Envelope] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(self, event: Envelope, payload: Payload, name: str) -> None:
        self.events.append(event)
        self.payloads.append(payload)
        self.names.append(name)


class BlockDecoder:
    """Decodes blocks; holds the operators' public key, so it is made in `setup`.

    Every event is counted once under `events`, and lands in exactly one of:
    a primary row of a dataset, withheld, outside_contract, quarantine.
    """

    def __init__(self, ring: KeyRing, buckets: int) -> None:
        self._quarantine = Quarantine(ring, buckets)

    def decode(self, block: Block) -> Iterator[EventBatch]:
        """The block's batches: datasets first, then quarantine, then counts."""
        self._tally = Tally()
        self._rows: dict[tuple[str, bool], _Rows] = defaultdict(_Rows)
        self._counted: dict[tuple[str, str], list[str | None]] = defaultdict(list)
        for line in block.lines:
            stamp = self._take(Payload(line), None)
            self._counted["payloads", ""].append(stamp)
        for request in block.requests:
            self._take_request(request)
        for part in block.unreadable:
            self._tally.add(0, "payloads")
            self._tally.add(0, "events")
            self._quarantine.add_unreadable(part)
        yield from self._batches()
        for (kind, key), stamps in self._counted.items():
            for day, count in zip(*np.unique(_days(stamps), return_counts=True), strict=True):
                self._tally.add(int(day), kind, key, int(count))
        for batch in (self._quarantine.take(), self._tally.batch()):
            if batch is not None:
                yield batch

    def _take_request(self, request: RawRequest) -> None:
        stamp = Collector(request.received_at, request.client_ip, request.telemetry_level, request.snippet_consent)
        self._counted["payloads", ""].append(request.received_at)
        try:
            if len(request.body) > MAX_PAYLOAD_BYTES:
                raise PayloadTooLarge("a body over the limit")
            events = list(split_body(decompress_body(request.body)))
        except RejectedEvent as rejected:
            self._refuse(Payload(request.body, request), stamp, rejected.reason)
            return
        for event in events:
            self._take(Payload(event, request), stamp)

    def _take(self, payload: Payload, stamp: Collector | None) -> str | None:
        """Decodes one event and puts it where it belongs; returns its received_at as text."""
        try:
            event = decode_event(payload.line)
            if stamp is not None:
                event.collector = stamp
            elif event.collector is None:
                event.collector = _UNSTAMPED
            name = wire_name(event)
        except RejectedEvent as rejected:
            return self._refuse(payload, stamp, rejected.reason)
        collector: Any = event.collector
        self._counted["events", ""].append(collector.received_at)
        withheld = self._place(event, payload, name, collector)
        if withheld:
            self._counted[withheld].append(collector.received_at)
        return str(collector.received_at) if collector.received_at else None

    def _place(self, event: Envelope, payload: Payload, name: str, stamp: Collector) -> tuple[str, str] | None:
        """Adds the event to its datasets; or says under which count it stays out."""
        rank = PERMITTED.get(stamp.telemetry_level or "", 0)
        if rank == 0:
            return "withheld", "off"
        primary, attached = targets(name, event)
        if primary is None:
            return "outside_contract", outside_kind(name)
        needed = _NEEDED[primary]
        if rank < min(needed, _SNIPPET_RANK - 1):
            return "withheld", stamp.telemetry_level or ""
        if needed == _SNIPPET_RANK and not stamp.snippet_consent:
            return "withheld", "snippet"
        self._rows[primary, True].add(event, payload, name)
        for dataset in attached:
            self._rows[dataset, False].add(event, payload, name)
        if primary != _SNIPPETS:
            self._attach_code(event, payload, name, stamp, rank)
        return None

    def _attach_code(self, event: Envelope, payload: Payload, name: str, stamp: Collector, rank: int) -> None:
        properties = event.data.baseData.properties
        if properties is None or (values := _code_values(properties)) == _NO_CODE:
            return
        if stamp.snippet_consent and rank == _SNIPPET_RANK - 1:
            self._rows[_SNIPPETS, False].add(event, payload, name)
            return
        lost = sum(value is not None for value in values)
        self._counted["withheld_fields", "snippet"].extend([stamp.received_at] * lost)

    def _refuse(self, payload: Payload, stamp: Collector | None, reason: Reason) -> str | None:
        """Quarantines what cannot be decoded, or withholds it where its user said off."""
        stamp = stamp or read_stamp(payload.line)
        moment = salvage_receive_time(payload.line) if stamp is None else _moment(stamp.received_at)
        text = moment.isoformat() if moment else None
        self._counted["events", ""].append(text)
        if stamp is not None and PERMITTED.get(stamp.telemetry_level or "", 0) == 0:
            self._counted["withheld", "off"].append(text)
            return text
        self._quarantine.add(payload, reason, moment, keep_body=reason != Reason.PAYLOAD_TOO_LARGE)
        return text

    def _batches(self) -> Iterator[EventBatch]:
        refused: set[int] = set()
        for (dataset, is_primary), rows in sorted(self._rows.items(), key=lambda item: not item[0][1]):
            batch = self._batch(event_schemas()[dataset], rows, is_primary, refused)
            if batch.num_rows:
                yield EventBatch(dataset, batch)

    def _batch(self, schema: Schema, rows: _Rows, is_primary: bool, refused: set[int]) -> pa.RecordBatch:
        """The rows as columns. Primary rows with an invalid value are quarantined, and what is
        attached to them goes with them; in attached rows an invalid value is null.
        """
        columns, invalid = raw_columns(schema, rows.events)
        stamps = [e.collector or _UNSTAMPED for e in rows.events]
        columns["received_at"] = plausible_receive_times(pa.array([s.received_at for s in stamps], pa.string()))
        columns |= _consent(stamps)
        columns["event_name"] = pa.array(rows.names, pa.string())
        columns["event_id"] = _event_ids(columns["event_id"], rows.payloads)
        columns |= derive(schema, columns)
        count = len(rows.events)
        columns["is_primary"] = pa.repeat(pa.scalar(is_primary), count)
        batch = pa.RecordBatch.from_pydict(columns)
        unreceived = np.asarray(columns["received_at"].is_null())
        if is_primary:
            invalid |= unreceived | _lacks_required(schema, columns)
            self._quarantine_rows(schema, rows, invalid, unreceived, columns["received_at"])
            refused.update(id(rows.events[i]) for i in np.flatnonzero(invalid))
        else:
            invalid = np.array([id(e) in refused for e in rows.events], dtype=bool)
        return batch.filter(pa.array(~invalid)) if invalid.any() else batch

    def _quarantine_rows(
        self, schema: Schema, rows: _Rows, invalid: np.ndarray, unreceived: np.ndarray, times: pa.Array
    ) -> None:
        for row in np.flatnonzero(invalid):
            reason = MissingReceiveTime.reason if unreceived[row] else Reason.INVALID_VALUE
            self._quarantine.add(rows.payloads[row], reason, times[row].as_py(), dataset=schema.name)


def _days(stamps: Sequence[str | None]) -> np.ndarray:
    return days_of(plausible_receive_times(pa.array(stamps, pa.string())))


def _moment(received_at: str | None) -> datetime | None:
    moment: datetime | None = plausible_receive_times(pa.array([received_at], pa.string()))[0].as_py()
    return moment


def _consent(stamps: Sequence[Collector]) -> dict[str, pa.Array]:
    ranks = [PERMITTED.get(s.telemetry_level or "", 0) for s in stamps]
    code = [bool(s.snippet_consent) and r == _SNIPPET_RANK - 1 for s, r in zip(stamps, ranks, strict=True)]
    return {
        LEVEL: pa.array(ranks, pa.int8()),
        SNIPPET_CONSENT: pa.array(code, pa.bool_()),
        CLIENT_IP: pa.array([s.client_ip for s in stamps], pa.string()),
    }


def _event_ids(ids: pa.Array, payloads: Sequence[Payload]) -> pa.Array:
    if not ids.null_count:
        return ids
    given = ids.to_pylist()
    return pa.array([g or event_digest(p.line) for g, p in zip(given, payloads, strict=True)], pa.string())


def _lacks_required(schema: Schema, columns: dict[str, pa.Array]) -> np.ndarray:
    lacking = np.zeros(len(columns["event_id"]), dtype=bool)
    for f in schema.fields:
        if f.required and f.name in columns and columns[f.name].null_count:
            lacking |= np.asarray(pc.is_null(columns[f.name]))
    return lacking
