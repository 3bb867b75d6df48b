"""SealBatches: protected batches -> sealed pieces by bucket, fit to cross a shuffle."""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow, TimestampedValue
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from transforms.core.batches import EventBatch
from transforms.core.guard import payload_free_errors
from transforms.core.keys.open_ring import open_sealer
from transforms.core.shuffle.pieces import PieceBuilder, Sealed


class _Seal(beam.DoFn):
    def __init__(self, key_ring: str, buckets: int, interval_s: int | None) -> None:
        self._key_ring = key_ring
        self._buckets = buckets
        self._interval_s = interval_s

    def setup(self) -> None:
        self._sealer = open_sealer(self._key_ring)

    def start_bundle(self) -> None:
        self._builders: dict[int, tuple[PieceBuilder, Timestamp]] = {}

    def process(self, events: EventBatch, timestamp: Any = beam.DoFn.TimestampParam) -> Iterator[TimestampedValue]:
        window = 0 if self._interval_s is None else timestamp.micros // (self._interval_s * 1_000_000)
        builder, earliest = self._builders.get(window) or (PieceBuilder(self._sealer, self._buckets), timestamp)
        self._builders[window] = builder, min(earliest, timestamp)
        with payload_free_errors():
            for sealed in builder.add(events):
                yield TimestampedValue(sealed, self._builders[window][1])

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for builder, earliest in self._builders.values():
            for sealed in builder.finish():
                yield WindowedValue(sealed, earliest, [GlobalWindow()])


class SealBatches(beam.PTransform):
    """Batches with a `slot` column -> (bucket, sealed bytes), about 1 MB of rows each.

    Rows are gathered within a bundle, in the global window; at its end every
    bucket is told the latest receive time of the bundle. A piece bears the
    smallest timestamp of its batches: with a later one, a window's timer could
    overtake it. With `interval_s` no piece spans a boundary. Raises
    KeyUnavailable in setup.
    """

    def __init__(self, key_ring: str, buckets: int, interval_s: int | None = None) -> None:
        super().__init__()
        self._do_fn = _Seal(key_ring, buckets, interval_s)

    def expand(self, events: beam.PCollection[EventBatch]) -> beam.PCollection[Sealed]:
        return events | "Seal" >> beam.ParDo(self._do_fn).with_output_types(Sealed)
