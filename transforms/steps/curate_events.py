"""CurateEvents: a portion's pieces -> the rows that land."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import apache_beam as beam

from transforms.core.curating.curate import CuratedBucket, curate
from transforms.core.curating.permitted import Permitted, only_permitted
from transforms.core.guard import payload_free_errors
from transforms.core.keys.open_ring import open_erased_key, open_landing, open_sealer
from transforms.core.output.erased import read_erased
from transforms.core.output.landing import Landing
from transforms.core.output.layout import Output
from transforms.core.recent.memory import BucketMemory
from transforms.core.shuffle.pieces import open_pieces
from transforms.core.shuffle.windows import Portion


class _Curate(beam.DoFn):
    def __init__(
        self, key_ring: str, output: Output, lookback: timedelta, lateness: timedelta, horizon: timedelta,
        least_clock_us: int | None,
    ) -> None:  # fmt: skip
        self._least_clock_us = least_clock_us
        self._key_ring = key_ring
        self._output = output
        self._spans = lookback, lateness, horizon

    def setup(self) -> None:
        self._open_landing()
        self._sealer = open_sealer(self._key_ring)
        self._listing = self._output.listing()
        self._memory = BucketMemory.of(self._output)
        self._permitted = Permitted(read_erased(self._output), open_erased_key(self._key_ring))

    def _open_landing(self) -> None:
        self._keys = open_landing(self._key_ring)
        self._landing = Landing.of(self._output, self._keys)

    def start_bundle(self) -> None:
        """An endless job sees months that were added to the ring, or destroyed, since it began."""
        if open_landing(self._key_ring) is not self._keys:
            self._open_landing()

    def process(self, grouped: tuple[Portion, Iterable[bytes]]) -> Iterator[CuratedBucket]:
        portion, pieces = grouped
        with payload_free_errors():
            # The files of a batch output are listed once a worker; a stream adds to them with each window.
            listing = self._listing if portion.window is None else self._output.listing()
            # GroupByBucket lets an empty piece come for each bucket, so that buckets come of which there is none.
            tables = open_pieces(self._sealer, portion.bucket, (p for p in pieces if p))
            recent = self._memory.lend(portion, listing, self._landing)
            permitted = only_permitted(tables, self._permitted)
            yield curate(portion, permitted, recent, *self._spans, self._least_clock_us)


class CurateEvents(beam.PTransform):
    """(portion, pieces) -> one CuratedBucket each: erased and doubled rows gone, each row under its month, counts made.

    Copies of rows that other inputs, or windows before this one, published at
    most the lookback away are duplicates, too. In windows the clock that closes
    suggestions lags by the lateness; that of a batch input is at least
    `least_clock_us`. The horizon says how near rows must be to be of one suggestion
    at the end of a month. Raises KeyUnavailable on a piece of another ring or
    bucket, StorageUnavailable where published rows cannot be read.
    """

    def __init__(
        self, key_ring: str, output: Output, lookback: timedelta, lateness: timedelta, horizon: timedelta,
        least_clock_us: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._do_fn = _Curate(key_ring, output, lookback, lateness, horizon, least_clock_us)

    def expand(self, grouped: beam.PCollection[tuple[Portion, Iterable[bytes]]]) -> beam.PCollection[CuratedBucket]:
        return grouped | "Curate" >> beam.ParDo(self._do_fn).with_output_types(CuratedBucket)
