"""CurateEvents: a bucket's pieces -> the rows that land."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import apache_beam as beam

from transforms.core import keyring
from transforms.core.curate import CuratedBucket, curate
from transforms.core.guard import payload_free_errors
from transforms.core.layout import Listing
from transforms.core.pieces import open_pieces
from transforms.core.published import PublishedRows


class _Curate(beam.DoFn):
    def __init__(self, key_ring: str, output: str, input_digest: str, lookback: timedelta) -> None:
        self._key_ring = key_ring
        self._output = output
        self._input_digest = input_digest
        self._lookback = lookback

    def setup(self) -> None:
        self._sealer = keyring.load(self._key_ring).sealer()
        self._published = PublishedRows(self._output, self._input_digest, Listing(self._output))

    def process(self, grouped: tuple[int, Iterable[bytes]]) -> Iterator[CuratedBucket]:
        bucket, pieces = grouped
        with payload_free_errors():
            tables = open_pieces(self._sealer, bucket, (p for p in pieces if p))
            yield curate(bucket, tables, self._published, self._lookback)


class CurateEvents(beam.PTransform):
    """(bucket, pieces) -> one CuratedBucket each: exact duplicates gone, rows sorted, counts made.

    Duplicates are also those of rows that other inputs published at most the
    lookback away. Raises KeyUnavailable on a piece of another ring or bucket,
    StorageUnavailable where published rows cannot be read.
    """

    def __init__(self, key_ring: str, output: str, input_digest: str, lookback: timedelta) -> None:
        super().__init__()
        self._do_fn = _Curate(key_ring, output, input_digest, lookback)

    def expand(self, grouped: beam.PCollection[tuple[int, Iterable[bytes]]]) -> beam.PCollection[CuratedBucket]:
        return grouped | "Curate" >> beam.ParDo(self._do_fn).with_output_types(CuratedBucket)
