"""ProtectEvents: consent, geolocation, scrubbing, pseudonyms; addresses and ids are gone after it."""

from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa

from transforms.core import keyring
from transforms.core.batches import PASSING, EventBatch, Tally
from transforms.core.geo import REGION_MIN_POPULATION, GeoDatabase
from transforms.core.guard import payload_free_errors
from transforms.core.protect import Protector
from transforms.core.times import days_of


class _Protect(beam.DoFn):
    def __init__(
        self, key_ring: str, buckets: int, geo_database: str, city_min_population: int, region_min_population: int
    ) -> None:
        self._key_ring = key_ring
        self._buckets = buckets
        self._geo_database = geo_database
        self._min_populations = city_min_population, region_min_population

    def setup(self) -> None:
        geo = GeoDatabase(self._geo_database, *self._min_populations)
        self._protector = Protector(keyring.load(self._key_ring), geo, self._buckets)

    def process(self, events: EventBatch) -> Iterator[EventBatch]:
        with payload_free_errors():
            if events.kind in PASSING:
                yield events
            else:
                yield from self._protect(events)

    def _protect(self, events: EventBatch) -> Iterator[EventBatch]:
        """One day at a time, so that what was withheld and scrubbed is counted on its day."""
        days = days_of(events.batch.column("received_at"))
        for day in np.unique(days):
            within = days == day
            rows = events.batch if within.all() else events.batch.filter(pa.array(within))
            protected = self._protector.protect(events.kind, rows)
            yield EventBatch(events.kind, protected.batch)
            tally = Tally()
            for kind in ("withheld_fields", "scrubbed"):
                for key, count in getattr(protected, kind).items():
                    tally.add(int(day), kind, key, count)
            if (counts := tally.batch()) is not None:
                yield counts


class ProtectEvents(beam.PTransform):
    """Unprotected batches -> batches in `Schema.sealed_arrow` with a leading `bucket` column.

    What holds nothing to be protected passes through. Raises KeyUnavailable where the
    ring has no key for a month in which an event was received, InvalidOptions
    in setup where the geo database cannot be read.
    """

    def __init__(
        self,
        key_ring: str,
        buckets: int,
        geo_database: str,
        city_min_population: int,
        region_min_population: int = REGION_MIN_POPULATION,
    ) -> None:
        super().__init__()
        self._do_fn = _Protect(key_ring, buckets, geo_database, city_min_population, region_min_population)

    def expand(self, events: beam.PCollection[EventBatch]) -> beam.PCollection[EventBatch]:
        return events | "Protect" >> beam.ParDo(self._do_fn).with_output_types(EventBatch)
