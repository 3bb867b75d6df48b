"""WriteDatasets: curated buckets -> Parquet files, the ledger row last."""

from collections.abc import Iterator
from datetime import date

import apache_beam as beam

from transforms.core import keyring
from transforms.core.curate import CuratedBucket
from transforms.core.guard import payload_free_errors
from transforms.core.layout import Listing
from transforms.core.progress import PROGRESS
from transforms.core.publish import Publisher


class _Write(beam.DoFn):
    def __init__(
        self, key_ring: str, output: str, input_digest: str, buckets: int, earlier_days: dict[int, list[date]]
    ) -> None:
        self._key_ring = key_ring
        self._output = output
        self._input_digest = input_digest
        self._buckets = buckets
        self._earlier_days = earlier_days

    def setup(self) -> None:
        ring, listing = keyring.load(self._key_ring), Listing(self._output)
        self._publisher = Publisher(self._output, self._input_digest, self._buckets, ring, listing)

    def process(self, curated: CuratedBucket) -> Iterator[int]:
        with payload_free_errors():
            self._publisher.publish(curated, self._earlier_days.get(curated.bucket, []))
        PROGRESS.add(buckets=1)
        yield curated.bucket


class WriteDatasets(beam.PTransform):
    """CuratedBuckets -> the buckets whose files are whole.

    A file is a pure function of dataset, day, input and bucket; a bundle that
    is tried again replaces its files with the same bytes. Raises
    StorageUnavailable where a file cannot be written.
    """

    def __init__(
        self, key_ring: str, output: str, input_digest: str, buckets: int, earlier_days: dict[int, list[date]]
    ) -> None:
        super().__init__()
        self._do_fn = _Write(key_ring, output, input_digest, buckets, earlier_days)

    def expand(self, curated: beam.PCollection[CuratedBucket]) -> beam.PCollection[int]:
        return curated | "Write" >> beam.ParDo(self._do_fn).with_output_types(int)
