"""Events decoded together: their rows, quarantine rows and counts, before any of it is passed on."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from operator import attrgetter

import numpy as np
import pyarrow as pa

from schemas.errors import Reason, RejectedEvent
from schemas.registry import LEVELS, PERMITTED, event_schemas
from transforms.core.batches import EventBatch, Origins, Tally
from transforms.core.blocks import MAX_PAYLOAD_BYTES, RawRequest, Unreadable
from transforms.core.consent import Collector
from transforms.core.decoding.bodies import events_of_body
from transforms.core.decoding.columns import raw_columns
from transforms.core.decoding.derived import derive
from transforms.core.decoding.envelopes import decode_event, wire_name
from transforms.core.decoding.refusals import refuse, refuse_rows
from transforms.core.decoding.routing import targets
from transforms.core.decoding.rows import Rows, add_lacking, event_ids, stamp_columns
from transforms.core.decoding.wire import Envelope, Properties, attribute
from transforms.core.keys.step_keys import QuarantineKeys
from transforms.core.quarantine.rows import Payload, Quarantine, Refusal
from transforms.core.quarantine.unprocessable import STOPPING, Unprocessable
from transforms.core.times import days_of, plausible_receive_times

_SNIPPETS = "snippets"
_SNIPPET_RANK = LEVELS.index("snippet")
_NEEDED = {name: LEVELS.index(schema.level) for name, schema in event_schemas().items()}
_code_values = attrgetter(*(attribute(s)[1] for f in event_schemas()[_SNIPPETS].fields if f.role for s in f.sources))
_NO_CODE = _code_values(Properties())

Event = tuple[bytes, RawRequest | None, Collector | None]
"""An event's bytes, the request it came in, and that one's stamp; None where it bears its own."""


def _withheld_as(primary: str, rank: int, stamp: Collector) -> str | None:
    """What withholds an event: its user's level, or the missing consent for code; None where it lands."""
    needed = _NEEDED[primary]
    if rank < min(needed, _SNIPPET_RANK - 1):
        return stamp.telemetry_level
    if needed == _SNIPPET_RANK and not stamp.snippet_consent:
        return "snippet"
    return None


class DecodedPart:
    """A block or a part of one; what it gives is whole or, where it raises, to be forgotten."""

    def __init__(
        self, ring: QuarantineKeys, buckets: int, outside_kind: Callable[[str], str], unprocessable: Unprocessable
    ) -> None:
        self._ring = ring
        self._outside_kind = outside_kind
        self._unprocessable = unprocessable
        self._quarantine = Quarantine(ring, buckets)
        self._tally = Tally()
        self._rows: dict[tuple[str, bool], Rows] = {}
        self._counted: dict[tuple[str, str], list[str | None]] = defaultdict(list)
        self._received = self._counted["events", ""]
        self._expected_events = 0

    @property
    def events(self) -> int:
        """Events so far, unreadable parts of files aside."""
        return len(self._received)

    def take_lines(self, lines: Sequence[bytes]) -> None:
        """Takes raw lines: each is a payload of one event."""
        self.expect(len(lines))
        self.take(zip(lines, repeat(None), repeat(None), strict=False))
        self.count_lines()

    def expect(self, events: int) -> None:
        """Counts events where they are split, whatever becomes of each."""
        self._expected_events += events

    def count_lines(self) -> None:
        """Counts each event so far as a payload of its own."""
        self._counted["payloads", ""].extend(self._received)

    def add_unreadable(self, parts: Iterable[Unreadable]) -> None:
        """Takes parts of files of which there is nothing to decode."""
        for part in parts:
            self._tally.add(0, "payloads")
            self._tally.add(0, "events")
            self._quarantine.add_unreadable(part)

    def events_of(self, requests: Sequence[RawRequest], *, alone: bool = False) -> Iterator[Event]:
        """The events of request bodies, each under its request's stamp; a body of one plain event is taken as it is.

        `alone`: a body on which our own code fails goes aside; else it raises. Then the events are taken by other
        parts, which expect them.
        """
        payloads = self._counted["payloads", ""]
        for request in requests:
            body = request.body
            stamp = None
            if request.is_stamped:
                stamp = Collector(
                    request.received_at, request.client_ip, request.telemetry_level, request.snippet_consent
                )
            payloads.append(request.received_at)
            if body[:1] == b"{" and b"\n" not in body and len(body) <= MAX_PAYLOAD_BYTES:
                self.expect(not alone)
                yield body, request, stamp
                continue
            try:
                events, damage = events_of_body(body, request.content_encoding)
            except RejectedEvent as rejected:
                events, damage = [], rejected
            except STOPPING:
                raise
            except Exception as error:
                if not alone:
                    raise
                self.expect(1)
                self.put_aside(body, request, stamp, error)
                continue
            self.expect((0 if alone else len(events)) + (damage is not None))
            yield from zip(events, repeat(request), repeat(stamp), strict=False)
            if damage is not None:
                self._refuse(body, request, stamp, _refusal(damage))

    def take(self, events: Iterable[Event]) -> None:
        """Decodes each event and puts it where it belongs; a request's stamp stands above the events' own."""
        for line, request, stamp in events:
            try:
                event = decode_event(line, is_stamped=stamp is not None)
                name = wire_name(event)
            except RejectedEvent as rejected:
                self._refuse(line, request, stamp, _refusal(rejected))
                continue
            collector = stamp or event.collector or Collector(request.received_at if request is not None else None)
            event.collector = collector
            self._received.append(collector.received_at)
            rank = PERMITTED.get(collector.telemetry_level or "", 0)
            if rank == 0:
                self._counted["withheld", "off"].append(collector.received_at)
                continue
            primary, attached = targets(name, event)
            if primary is None:
                self._counted["outside_contract", self._outside_kind(name)].append(collector.received_at)
                continue
            withheld_as = _withheld_as(primary, rank, collector)
            if withheld_as is not None:
                self._counted["withheld", withheld_as].append(collector.received_at)
                continue
            if primary != _SNIPPETS and self._has_permitted_code(event, collector, rank):
                attached = (*attached, _SNIPPETS)
            number = len(self._received)
            if stamp is None:
                request = None  # noqa: PLW2901 - the line has its stamp, and is all that is needed to read it again
            self._rows_of(primary, True).add(event, number, line, request, name)
            for dataset in attached:
                self._rows_of(dataset, False).add(event, number, line, request, name)

    def put_aside(self, line: bytes, request: RawRequest | None, stamp: Collector | None, error: Exception) -> None:
        """Takes an event, or a whole body, on which our own code fails; raises InternalError at one too many."""
        refusal = Refusal(Reason.UNPROCESSABLE)
        try:
            self._refuse(line, request, stamp, refusal)
        except STOPPING:
            raise
        except Exception:  # noqa: BLE001 - even its stamp cannot be looked for
            self._received.append(None)
            self._quarantine.add(Payload(line), refusal, None, keep_body=False)
        self._unprocessable.add(error)

    def batches(self) -> list[EventBatch]:
        """Datasets, primary rows first; quarantine rows; counts."""
        found = list(self._event_batches())
        for (kind, key), stamps in self._counted.items():
            for day, count in zip(*np.unique(_days(stamps), return_counts=True), strict=True):
                self._tally.add(int(day), kind, key, int(count))
        self._tally.add(0, "events", count=self._expected_events - len(self._received))
        return [*found, *(b for b in (self._quarantine.take(), self._tally.batch()) if b is not None)]

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

    def _refuse(self, line: bytes, request: RawRequest | None, stamp: Collector | None, refusal: Refusal) -> None:
        withhold = self._counted["withheld", "off"].append
        self._received.append(refuse(self._quarantine, withhold, line, request, stamp, refusal))

    def _event_batches(self) -> Iterator[EventBatch]:
        for rows in self._rows.values():
            rows.settle()
        refused: set[int] = set()
        failed: set[int] = set()
        for (dataset, is_primary), rows in sorted(self._rows.items(), key=lambda item: not item[0][1]):
            batch, kept = self._batch(dataset, rows, is_primary, refused)
            if len(kept):
                origins = Origins(rows.lines, rows.requests, rows.stamps, rows.numbers, is_primary, failed, kept)
                yield EventBatch(dataset, batch, origins)

    def _batch(
        self, dataset: str, rows: Rows, is_primary: bool, refused: set[int]
    ) -> tuple[pa.RecordBatch, np.ndarray]:
        """The rows as columns, and which are kept. Primary rows with an invalid value are quarantined, and what is
        attached to them goes with them; in attached rows an invalid value is null.
        """
        schema, count = event_schemas()[dataset], len(rows.numbers)
        columns, wrong = raw_columns(schema, rows.arrays, count)
        columns |= stamp_columns(rows.stamps)
        columns["event_name"] = pa.array(rows.names, pa.string())
        columns["event_id"] = event_ids(columns["event_id"], rows.lines)
        columns |= derive(schema, columns)
        columns["is_primary"] = pa.repeat(pa.scalar(is_primary), count)
        batch = pa.RecordBatch.from_pydict(columns)
        if is_primary:
            add_lacking(wrong, schema, columns)
            gone = refuse_rows(self._quarantine, self._ring, schema, rows, columns["received_at"], wrong)
            refused.update(rows.numbers[row] for row in np.flatnonzero(gone))
        else:
            gone = np.array([number in refused for number in rows.numbers], dtype=bool)
        return batch.filter(pa.array(~gone)) if gone.any() else batch, np.flatnonzero(~gone)


def _refusal(rejected: RejectedEvent) -> Refusal:
    return Refusal(rejected.reason, rejected.field, rejected.expected)


def _days(stamps: Sequence[str | None]) -> np.ndarray:
    return days_of(plausible_receive_times(pa.array(stamps, pa.string())))
