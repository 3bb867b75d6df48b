"""CurateEvents: a portion's pieces -> the rows that land."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import apache_beam as beam

from transforms.core.curating.curate import CuratedBucket, curate
from transforms.core.guard import payload_free_errors
from transforms.core.keys.open_ring import open_sealer
from transforms.core.output.layout import Output
from transforms.core.recent.memory import BucketMemory
from transforms.core.shuffle.pieces import open_pieces
from transforms.core.shuffle.windows import Portion


class _Curate(beam.DoFn):
    def __init__(self, key_ring: str, output: Output, lookback: timedelta, lateness: timedelta) -> None:
        self._key_ring = key_ring
        self._output = output
        self._lookback = lookback
        self._lateness = lateness

    def setup(self) -> None:
        self._sealer = open_sealer(self._key_ring)
        self._listing = self._output.listing()
        self._memory = BucketMemory.of(self._output)

    def process(self, grouped: tuple[Portion, Iterable[bytes]]) -> Iterator[CuratedBucket]:
        portion, pieces = grouped
        with payload_free_errors():
            # The files of a batch output are listed once a worker; a stream adds to them with each window.
            listing = self._listing if portion.window is None else self._output.listing()
            # GroupByBucket lets an empty piece come for each bucket, so that buckets come of which there is none.
            tables = open_pieces(self._sealer, portion.bucket, (p for p in pieces if p))
            recent = self._memory.lend(portion, listing)
            yield curate(portion, tables, recent, self._lookback, self._lateness)


class CurateEvents(beam.PTransform):
    """(portion, pieces) -> one CuratedBucket each: exact duplicates gone, rows sorted, counts made.

    Copies of rows that other inputs, or windows before this one, published at
    most the lookback away are duplicates, too. In windows the clock that closes
    suggestions lags by the lateness. Raises KeyUnavailable on a piece of another
    ring or bucket, StorageUnavailable where published rows cannot be read.
    """

    def __init__(self, key_ring: str, output: Output, lookback: timedelta, lateness: timedelta) -> None:
        super().__init__()
        self._do_fn = _Curate(key_ring, output, lookback, lateness)

    def expand(self, grouped: beam.PCollection[tuple[Portion, Iterable[bytes]]]) -> beam.PCollection[CuratedBucket]:
        return grouped | "Curate" >> beam.ParDo(self._do_fn).with_output_types(CuratedBucket)
