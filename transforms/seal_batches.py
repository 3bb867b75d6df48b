"""SealBatches: protected batches -> sealed pieces by bucket, fit to cross a shuffle."""

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from transforms.core import keyring
from transforms.core.batches import EventBatch
from transforms.core.guard import payload_free_errors
from transforms.core.pieces import PieceBuilder, Sealed


class _Seal(beam.DoFn):
    def __init__(self, key_ring: str, buckets: int) -> None:
        self._key_ring = key_ring
        self._buckets = buckets

    def setup(self) -> None:
        self._sealer = keyring.load(self._key_ring).sealer()

    def start_bundle(self) -> None:
        self._builder = PieceBuilder(self._sealer, self._buckets)

    def process(self, events: EventBatch) -> Iterator[Sealed]:
        with payload_free_errors():
            yield from self._builder.add(events)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for sealed in self._builder.finish():
            yield WindowedValue(sealed, MIN_TIMESTAMP, [GlobalWindow()])


class SealBatches(beam.PTransform):
    """Batches with a `bucket` column -> (bucket, sealed bytes), about 1 MB of rows each.

    Rows are gathered within a bundle, in the global window; at its end every
    bucket is told the latest receive time of the bundle. Raises
    KeyUnavailable in setup.
    """

    def __init__(self, key_ring: str, buckets: int) -> None:
        super().__init__()
        self._do_fn = _Seal(key_ring, buckets)

    def expand(self, events: beam.PCollection[EventBatch]) -> beam.PCollection[Sealed]:
        return events | "Seal" >> beam.ParDo(self._do_fn).with_output_types(Sealed)
