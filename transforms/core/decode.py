"""Blocks of payloads -> unprotected batches per dataset, quarantine rows and counts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import repeat
from operator import attrgetter

import numpy as np
import pyarrow as pa

from schemas.errors import MissingReceiveTime, PayloadTooLarge, Reason, RejectedEvent
from schemas.registry import LEVELS, PERMITTED, Schema, event_schemas
from transforms.core.batches import EventBatch, Tally, ranges_batch, taken_batch
from transforms.core.blocks import Block, RawRequest
from transforms.core.columns import raw_columns
from transforms.core.derived import derive
from transforms.core.envelopes import (
    MAX_PAYLOAD_BYTES,
    decode_event,
    decompress_body,
    read_stamp,
    split_body,
    wire_name,
)
from transforms.core.keyring import KeyRing
from transforms.core.quarantine import Payload, Quarantine, may_keep_body
from transforms.core.routing import outside_kind, targets
from transforms.core.rows import Rows, event_ids, lacks_required, stamp_columns
from transforms.core.times import days_of, plausible_receive_times, salvage_receive_time
from transforms.core.wire import Collector, Envelope, Properties, attribute

_SNIPPETS = "snippets"
_SNIPPET_RANK = LEVELS.index("snippet")
_NEEDED = {name: LEVELS.index(schema.level) for name, schema in event_schemas().items()}
_UNSTAMPED = Collector()
_code_values = attrgetter(*(attribute(s)[1] for f in event_schemas()[_SNIPPETS].fields if f.role for s in f.sources))
_NO_CODE = _code_values(Properties())


_Event = tuple[bytes, RawRequest | None, Collector | None]
"""An event's bytes, and the request and stamp it came under where that was not the line itself."""


def _withheld_as(primary: str, rank: int, stamp: Collector) -> str | None:
    """What withholds an event: its user's level, or the missing consent for code; None where it lands."""
    needed = _NEEDED[primary]
    if rank < min(needed, _SNIPPET_RANK - 1):
        return stamp.telemetry_level
    if needed == _SNIPPET_RANK and not stamp.snippet_consent:
        return "snippet"
    return None


class BlockDecoder:
    """Decodes blocks; holds the operators' public key, so it is made in `setup`.

    Every event is counted once under `events`, and lands in exactly one of:
    a primary row of a dataset, withheld, outside_contract, quarantine.
    """

    def __init__(self, ring: KeyRing, buckets: int) -> None:
        self._ring = ring
        self._buckets = buckets

    def decode(self, block: Block) -> Iterator[EventBatch]:
        """The block's batches: datasets first, then quarantine, counts, and what was taken of a stream."""
        self._quarantine = Quarantine(self._ring, self._buckets)  # afresh: a block that is tried again starts clean
        self._tally = Tally()
        self._rows: dict[tuple[str, bool], Rows] = {}
        self._counted: dict[tuple[str, str], list[str | None]] = defaultdict(list)
        self._received = self._counted["events", ""]
        self._split_events = len(block.lines)  # counted where they are split, whatever becomes of each
        self._take_events(zip(block.lines, repeat(None), repeat(None), strict=False))
        self._counted["payloads", ""].extend(self._received)  # a line is a payload of one event
        self._take_events(self._events_of(block.requests))
        for part in block.unreadable:
            self._tally.add(0, "payloads")
            self._tally.add(0, "events")
            self._quarantine.add_unreadable(part)
        yield from self._batches()
        for (kind, key), stamps in self._counted.items():
            for day, count in zip(*np.unique(_days(stamps), return_counts=True), strict=True):
                self._tally.add(int(day), kind, key, int(count))
        self._tally.add(0, "events", count=self._split_events - len(self._received))
        for batch in (self._quarantine.take(), self._tally.batch(), taken_batch(block.taken), ranges_batch(block.read)):
            if batch is not None:
                yield batch

    @property
    def events(self) -> int:
        """Events of the last block."""
        return len(self._received)

    def _events_of(self, requests: Sequence[RawRequest]) -> Iterator[_Event]:
        """The events of request bodies, each under its request's stamp; a body of one plain event is taken as it is."""
        payloads = self._counted["payloads", ""]
        for request in requests:
            body = request.body
            stamp = Collector(request.received_at, request.client_ip, request.telemetry_level, request.snippet_consent)
            payloads.append(request.received_at)
            if body[:1] == b"{" and b"\n" not in body and len(body) <= MAX_PAYLOAD_BYTES:
                self._split_events += 1
                yield body, request, stamp
                continue
            try:
                if len(body) > MAX_PAYLOAD_BYTES:
                    raise PayloadTooLarge("a body over the limit")
                events = list(split_body(decompress_body(body)))
            except RejectedEvent as rejected:
                self._split_events += 1
                self._refuse(body, request, stamp, rejected.reason)
                continue
            self._split_events += len(events)
            yield from zip(events, repeat(request), repeat(stamp), strict=False)

    def _take_events(self, events: Iterable[_Event]) -> None:
        """Decodes each event and puts it where it belongs; a request's stamp stands above the events' own."""
        for line, request, stamp in events:
            try:
                event = decode_event(line)
                name = wire_name(event)
            except RejectedEvent as rejected:
                self._refuse(line, request, stamp, rejected.reason)
                continue
            collector = stamp or event.collector or _UNSTAMPED
            event.collector = collector
            self._received.append(collector.received_at)
            rank = PERMITTED.get(collector.telemetry_level or "", 0)
            if rank == 0:
                self._counted["withheld", "off"].append(collector.received_at)
                continue
            primary, attached = targets(name, event)
            if primary is None:
                self._counted["outside_contract", outside_kind(name)].append(collector.received_at)
                continue
            withheld_as = _withheld_as(primary, rank, collector)
            if withheld_as is not None:
                self._counted["withheld", withheld_as].append(collector.received_at)
                continue
            if primary != _SNIPPETS and self._has_permitted_code(event, collector, rank):
                attached = (*attached, _SNIPPETS)
            number = len(self._received)
            self._rows_of(primary, True).add(event, number, line, request, name)
            for dataset in attached:
                self._rows_of(dataset, False).add(event, number, line, request, name)

    def _rows_of(self, dataset: str, is_primary: bool) -> Rows:
        key = (dataset, is_primary)
        if key not in self._rows:
            self._rows[key] = Rows(dataset)
        return self._rows[key]

    def _has_permitted_code(self, event: Envelope, stamp: Collector, rank: int) -> bool:
        """Whether an event of another dataset holds code that may be kept; counts it where it may not."""
        properties = event.data.baseData.properties
        if properties is None or (values := _code_values(properties)) == _NO_CODE:
            return False
        if stamp.snippet_consent and rank == _SNIPPET_RANK - 1:
            return True
        lost = sum(value is not None for value in values)
        self._counted["withheld_fields", "snippet"].extend([stamp.received_at] * lost)
        return False

    def _refuse(self, line: bytes, request: RawRequest | None, stamp: Collector | None, reason: Reason) -> None:
        """Quarantines what cannot be decoded, or withholds it where its user said off."""
        stamp = stamp or read_stamp(line)
        moment = salvage_receive_time(line) if stamp is None else _moment(stamp.received_at)
        text = moment.isoformat() if moment else None
        self._received.append(text)
        if stamp is not None and PERMITTED.get(stamp.telemetry_level or "", 0) == 0:
            self._counted["withheld", "off"].append(text)
            return
        keep_body = reason != Reason.PAYLOAD_TOO_LARGE and may_keep_body(line, stamp)
        self._quarantine.add(Payload(line, request), reason, moment, keep_body=keep_body)

    def _batches(self) -> Iterator[EventBatch]:
        for rows in self._rows.values():
            rows.settle()
        refused: set[int] = set()
        for (dataset, is_primary), rows in sorted(self._rows.items(), key=lambda item: not item[0][1]):
            batch = self._batch(event_schemas()[dataset], rows, is_primary, refused)
            if batch.num_rows:
                yield EventBatch(dataset, batch)

    def _batch(self, schema: Schema, rows: Rows, is_primary: bool, refused: set[int]) -> pa.RecordBatch:
        """The rows as columns. Primary rows with an invalid value are quarantined, and what is
        attached to them goes with them; in attached rows an invalid value is null.
        """
        count = len(rows.numbers)
        columns, invalid = raw_columns(schema, rows.arrays, count)
        columns |= stamp_columns(rows.stamps)
        columns["event_name"] = pa.array(rows.names, pa.string())
        columns["event_id"] = event_ids(columns["event_id"], rows.lines)
        columns |= derive(schema, columns)
        columns["is_primary"] = pa.repeat(pa.scalar(is_primary), count)
        batch = pa.RecordBatch.from_pydict(columns)
        unreceived = np.asarray(columns["received_at"].is_null())
        if is_primary:
            invalid |= unreceived | lacks_required(schema, columns)
            self._quarantine_rows(schema, rows, invalid, unreceived, columns["received_at"])
            refused.update(rows.numbers[row] for row in np.flatnonzero(invalid))
        else:
            invalid = np.array([number in refused for number in rows.numbers], dtype=bool)
        return batch.filter(pa.array(~invalid)) if invalid.any() else batch

    def _quarantine_rows(
        self, schema: Schema, rows: Rows, invalid: np.ndarray, unreceived: np.ndarray, times: pa.Array
    ) -> None:
        for row in np.flatnonzero(invalid):
            reason = MissingReceiveTime.reason if unreceived[row] else Reason.INVALID_VALUE
            payload, keep_body = (
                Payload(rows.lines[row], rows.requests[row]),
                may_keep_body(rows.lines[row], rows.stamps[row]),
            )
            self._quarantine.add(payload, reason, times[row].as_py(), dataset=schema.name, keep_body=keep_body)


def _days(stamps: Sequence[str | None]) -> np.ndarray:
    return days_of(plausible_receive_times(pa.array(stamps, pa.string())))


def _moment(received_at: str | None) -> datetime | None:
    moment: datetime | None = plausible_receive_times(pa.array([received_at], pa.string()))[0].as_py()
    return moment
