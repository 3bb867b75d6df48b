"""Events decoded together: their rows, quarantine rows and counts, before any of it is passed on."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from schemas.errors import Reason, RejectedEvent
from schemas.manifests import NO_MANIFESTS, Manifests
from schemas.registry import EXTENSION_EVENTS, load
from transforms.core.batches import EventBatch, Origins, Tally
from transforms.core.blocks import MAX_PAYLOAD_BYTES, RawRequest, Unreadable
from transforms.core.consent import Collector, rank_of
from transforms.core.decoding.bodies import events_of_body
from transforms.core.decoding.declared import DeclaredRows
from transforms.core.decoding.envelopes import decode_event, wire_name
from transforms.core.decoding.event_names import contract_name
from transforms.core.decoding.refusals import refusal_of, refuse, refuse_rows
from transforms.core.decoding.routing import targets
from transforms.core.decoding.rows import Rows, decoded_columns, mark_lacking
from transforms.core.decoding.wire import Envelope
from transforms.core.decoding.withholding import SNIPPET_RANK, values_of_code, withheld_by
from transforms.core.keys.step_keys import QuarantineKeys
from transforms.core.quarantine.rows import Payload, Quarantine, Refusal
from transforms.core.quarantine.unprocessable import STOPPING, Unprocessable
from transforms.core.times import counts_by_day

_SNIPPETS = "snippets"

Event = tuple[bytes, RawRequest | None, Collector | None]
"""An event's bytes, the request it came in, and that one's stamp; None where it bears its own."""


@dataclass(frozen=True)
class DecodeSettings:
    """What decoding needs to know and what does not change during a run.

    `counted_name`: see `event_names`. `unread`: fields that are lists and of which no value is known.
    """

    ring: QuarantineKeys
    slots: int
    counted_name: Callable[[str], str]
    unprocessable: Unprocessable
    unread: frozenset[str] = frozenset()
    manifests: Manifests = NO_MANIFESTS


class Decoded(NamedTuple):
    """How many events there were, unreadable parts of files aside, and the batches that came of them."""

    events: int
    batches: list[EventBatch]


class DecodedPart:
    """Gathers one block or a part of one, and gives it away with `finish`; where any method raises, it is of no use."""

    def __init__(self, settings: DecodeSettings) -> None:
        self._settings = settings
        self._quarantine = Quarantine(settings.ring, settings.slots)
        self._tally = Tally()
        self._lines: list[bytes] = []
        self._requests: list[RawRequest | None] = []
        self._stamps: list[Collector] = []
        self._rows: dict[tuple[str, bool], Rows] = {}
        self._counted: dict[tuple[str, str], list[str | None]] = defaultdict(list)
        self._received = self._counted["events", ""]
        self._expected_events = 0
        self._declared = DeclaredRows(settings.manifests)

    def add_lines(self, lines: Sequence[bytes]) -> None:
        """Decodes raw lines: each is a payload of one event."""
        self.expect(len(lines))
        self.add_events(zip(lines, repeat(None), repeat(None), strict=False))
        self.count_lines()

    def expect(self, events: int) -> None:
        """Counts events where they are split off. `finish` holds this against what became of each: none is lost."""
        self._expected_events += events

    def count_lines(self) -> None:
        """Counts each event so far as a payload of its own."""
        self._counted["payloads", ""].extend(self._received)

    def add_unreadable(self, parts: Iterable[Unreadable]) -> None:
        """Counts and quarantines parts of files that hold nothing to decode."""
        for part in parts:
            self._tally.add(0, "payloads")
            self._tally.add(0, "events")
            self._quarantine.add_unreadable(part)

    def events_of(self, requests: Sequence[RawRequest], *, alone: bool = False) -> Iterator[Event]:
        """The events of request bodies, each with its request's stamp. A body that is one plain event is not split.

        `alone`: a body on which our own code fails goes aside instead of raising, and the events will be decoded by
        other parts, which expect them.
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
            except Exception as error:  # our own code failed: `unprocessable`
                if not alone:
                    raise
                self.expect(1)
                self.put_aside(body, request, stamp, error)
                continue
            self.expect((0 if alone else len(events)) + (damage is not None))
            yield from zip(events, repeat(request), repeat(stamp), strict=False)
            if damage is not None:
                self._refuse(body, request, stamp, refusal_of(damage))

    def add_events(self, events: Iterable[Event]) -> None:
        """Decodes each event and puts it where it belongs; a request's stamp counts more than the event's own."""
        counted, lines = self._counted, self._lines
        for line, request, stamp in events:
            try:
                event = decode_event(line, is_stamped=stamp is not None)
                name = contract_name(wire_name(event))
            except RejectedEvent as rejected:
                self._refuse(line, request, stamp, refusal_of(rejected))
                continue
            collector = stamp or event.collector or Collector(request.received_at if request is not None else None)
            event.collector = collector
            self._received.append(collector.received_at)
            rank = rank_of(collector)
            if rank == 0:
                counted["withheld", "off"].append(collector.received_at)
                continue
            primary, attached = targets(name, event)
            if primary is None:
                declared = self._declared.find(name)
                if declared is None:
                    counted["outside_contract", self._settings.counted_name(name)].append(collector.received_at)
                    continue
                primary, name = EXTENSION_EVENTS, declared.name
            withheld_as = withheld_by(primary, rank, collector)
            if withheld_as is not None:
                counted["withheld", withheld_as].append(collector.received_at)
                continue
            if primary == EXTENSION_EVENTS:
                if not self._reads_declared(line, request, stamp):
                    continue
            elif primary != _SNIPPETS and self._has_permitted_code(event, collector, rank):
                attached = (*attached, _SNIPPETS)
            number = len(lines)
            lines.append(line)
            self._requests.append(None if stamp is None else request)  # a line that has its stamp is all it takes
            self._stamps.append(collector)
            self._rows_of(primary, True).add(event, number, name)
            for dataset in attached:
                self._rows_of(dataset, False).add(event, number, name)

    def _reads_declared(self, line: bytes, request: RawRequest | None, stamp: Collector | None) -> bool:
        """Reads the declared members of the event that was found last; False, and quarantined, where they are wrong."""
        try:
            self._declared.read(line)
        except RejectedEvent as rejected:
            self._received.pop()  # to refuse it counts it again
            self._refuse(line, request, stamp, refusal_of(rejected))
            return False
        return True

    def put_aside(self, line: bytes, request: RawRequest | None, stamp: Collector | None, error: Exception) -> None:
        """Quarantines an event, or a whole body, on which our own code fails; raises InternalError at one too many."""
        refusal = Refusal(Reason.UNPROCESSABLE)
        try:
            self._refuse(line, request, stamp, refusal)
        except STOPPING:
            raise
        except Exception:  # noqa: BLE001 - even its stamp cannot be looked for
            self._received.append(None)
            self._quarantine.add(Payload(line), refusal, None, keep_body=False)
        self._settings.unprocessable.add(error)

    def finish(self) -> Decoded:
        """Everything that was gathered: datasets, primary rows first; quarantine rows; counts."""
        found = list(self._event_batches())
        of_events = counts_by_day(self._received)
        for (kind, key), stamps in self._counted.items():
            # Of lines, payloads are events: their times are read once.
            for day, count in of_events if stamps == self._received else counts_by_day(stamps):
                self._tally.add(day, kind, key, count)
        self._tally.add(0, "events", count=self._expected_events - len(self._received))
        aside = (self._quarantine.drain(), self._tally.batch())
        return Decoded(len(self._received), [*found, *(batch for batch in aside if batch is not None)])

    def _rows_of(self, dataset: str, is_primary: bool) -> Rows:
        key = (dataset, is_primary)
        if key not in self._rows:
            self._rows[key] = Rows(dataset, self._settings.unread)
        return self._rows[key]

    def _has_permitted_code(self, event: Envelope, stamp: Collector, rank: int) -> bool:
        """Whether an event of another dataset holds code that may be kept; counts it where it may not."""
        held = values_of_code(event)
        if held and not (stamp.snippet_consent and rank == SNIPPET_RANK - 1):
            self._counted["withheld_fields", "snippet"].extend([stamp.received_at] * held)
            return False
        return held > 0

    def _refuse(self, line: bytes, request: RawRequest | None, stamp: Collector | None, refusal: Refusal) -> None:
        withhold = self._counted["withheld", "off"].append
        self._received.append(refuse(self._quarantine, withhold, line, request, stamp, refusal))

    def _event_batches(self) -> Iterator[EventBatch]:
        for rows in self._rows.values():
            rows.settle()
        refused: set[int] = set()
        failed: set[int] = set()
        for (dataset, is_primary), rows in sorted(self._rows.items(), key=lambda item: not item[0][1]):
            numbers = np.array(rows.numbers)
            origins = Origins(self._lines, self._requests, self._stamps, is_primary, failed, numbers)
            batch, gone = self._batch(dataset, rows, origins, refused)
            if not gone.any():
                yield EventBatch(dataset, batch, origins)
            elif not gone.all():
                yield EventBatch(dataset, batch.filter(pa.array(~gone)), origins.of_rows(np.flatnonzero(~gone)))

    def _batch(
        self, dataset: str, rows: Rows, origins: Origins, refused: set[int]
    ) -> tuple[pa.RecordBatch, np.ndarray]:
        """The rows as columns, and which of them (a mask) do not land.

        A primary row with an invalid value is quarantined, and the rows attached to its event go with it: `refused`
        has their places. In an attached row, an invalid value is null.
        """
        schema = load(dataset)
        columns, wrong = decoded_columns(schema, rows, self._lines, is_primary=origins.is_primary)
        if dataset == EXTENSION_EVENTS:
            columns |= self._declared.columns()
        batch = pa.RecordBatch.from_pydict(columns)
        if not origins.is_primary:
            return batch, np.array([number in refused for number in rows.numbers], dtype=bool)
        mark_lacking(wrong, schema, columns)
        gone = refuse_rows(self._quarantine, self._settings.ring, schema, origins, columns["received_at"], wrong)
        refused.update(origins.kept[gone].tolist())
        return batch, gone
