"""GroupByBucket: sealed pieces -> all pieces of each bucket; the one shuffle of the batch job."""

from collections.abc import Iterable, Iterator

import apache_beam as beam

from transforms.core.guard import payload_free_errors
from transforms.core.shuffle.pieces import Sealed
from transforms.core.shuffle.spill import Spill, Spilled
from transforms.core.shuffle.windows import Portion

Grouped = tuple[Portion, Iterable[bytes]]


class _Spill(beam.DoFn):
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def setup(self) -> None:
        self._spill = Spill(self._folder)

    def process(self, sealed: Sealed) -> Iterator[Sealed]:
        with payload_free_errors():
            yield sealed[0], self._spill.put(sealed[1])

    def teardown(self) -> None:
        self._spill.close()


class GroupByBucket(beam.PTransform):
    """(bucket, sealed) -> (portion, all its pieces), one for each bucket, empty ones too.

    An empty bucket comes so that files which an earlier run of the same input
    left in it are removed. Among the pieces of each bucket is one of no bytes.

    With a `spill_folder`, on a disk that all workers see, pieces wait there and only their places cross the shuffle.
    Raises StorageUnavailable where it cannot be written or read.
    """

    def __init__(self, input_digest: str, buckets: int, spill_folder: str = "") -> None:
        super().__init__()
        self._input_digest = input_digest
        self._buckets = buckets
        self._spill_folder = spill_folder

    def expand(self, pieces: beam.PCollection[Sealed]) -> beam.PCollection[Grouped]:
        every = [(bucket, b"") for bucket in range(self._buckets)]
        seeds = pieces.pipeline | "EveryBucket" >> beam.Create(every, reshuffle=False).with_output_types(Sealed)
        if self._spill_folder:
            pieces |= "Spill" >> beam.ParDo(_Spill(self._spill_folder)).with_output_types(Sealed)
        return (
            (pieces, seeds)
            | "WithEmptyBuckets" >> beam.Flatten()
            | "Group" >> beam.GroupByKey()
            | "OfInput" >> beam.Map(_of_input, self._input_digest, self._buckets, self._spill_folder)
        )


def _of_input(grouped: tuple[int, Iterable[bytes]], input_digest: str, buckets: int, spill_folder: str) -> Grouped:
    bucket, pieces = grouped
    return Portion(input_digest, bucket, None, buckets), Spilled(spill_folder, pieces) if spill_folder else pieces
