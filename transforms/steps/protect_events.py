"""ProtectEvents: consent, geolocation, scrubbing, pseudonyms; addresses and ids are gone after it."""

from collections.abc import Iterator
from datetime import timedelta

import apache_beam as beam

from schemas.known_values import PACKAGED, Vocabulary
from transforms.core.batches import PASSING, EventBatch
from transforms.core.guard import payload_free_errors
from transforms.core.keys.open_ring import open_pseudonyms, open_quarantine
from transforms.core.protecting.places.geo import GeoDatabase, GeoSettings
from transforms.core.protecting.protect import Protector
from transforms.core.protecting.protect_rows import RowProtector
from transforms.core.quarantine.rows import Quarantine
from transforms.core.quarantine.unprocessable import Unprocessable


class _Protect(beam.DoFn):
    def __init__(
        self, key_ring: str, slots: int, geo: GeoSettings, vocabulary: Vocabulary, unprocessable: Unprocessable,
        overlap: timedelta, sender_from: str,
    ) -> None:  # fmt: skip
        self._key_ring = key_ring
        self._slots = slots
        self._geo = geo
        self._vocabulary = vocabulary
        self._unprocessable = unprocessable
        self._overlap = overlap
        self._sender_from = sender_from

    def setup(self) -> None:
        quarantine = Quarantine(open_quarantine(self._key_ring), self._slots)
        self._keys = open_pseudonyms(self._key_ring)
        geo = GeoDatabase(*self._geo)
        protector = Protector(self._keys, geo, self._slots, self._vocabulary, self._overlap, self._sender_from)
        self._protector = RowProtector(protector, quarantine, self._unprocessable)

    def start_bundle(self) -> None:
        """An endless job sees months that were added to the ring, or destroyed, since it began."""
        if open_pseudonyms(self._key_ring) is not self._keys:
            self.setup()

    def process(self, events: EventBatch) -> Iterator[EventBatch]:
        with payload_free_errors():
            if events.kind in PASSING:
                yield events
            else:
                yield from self._protector.protect(events)


class ProtectEvents(beam.PTransform):
    """Unprotected batches -> batches in `Schema.sealed_arrow`.

    Events that are received within `overlap` after a month's begin carry their person's ids of the month before, too.
    Ids of events and suggestions depend on their sender from the month `sender_from` on.

    What holds nothing to be protected passes through. A row on which our own code fails goes to quarantine
    as `unprocessable`; its event counts there if it was the event's own row, and not if it was attached. Raises
    InternalError where more went aside than may, InvalidOptions in setup where the geo database cannot be read.
    """

    def __init__(
        self,
        key_ring: str,
        slots: int,
        geo: GeoSettings,
        vocabulary: Vocabulary = PACKAGED,
        unprocessable: Unprocessable | None = None,
        overlap: timedelta = timedelta(0),
        sender_from: str = "",
    ) -> None:
        super().__init__()
        bugs = unprocessable or Unprocessable()
        self._do_fn = _Protect(key_ring, slots, geo, vocabulary, bugs, overlap, sender_from)

    def expand(self, events: beam.PCollection[EventBatch]) -> beam.PCollection[EventBatch]:
        return events | "Protect" >> beam.ParDo(self._do_fn).with_output_types(EventBatch)
