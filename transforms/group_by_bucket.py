"""GroupByBucket: sealed pieces -> all pieces of each bucket; the one shuffle of the job."""

from collections.abc import Iterable

import apache_beam as beam

from transforms.core.pieces import Sealed


class GroupByBucket(beam.PTransform):
    """(bucket, sealed) -> (bucket, every sealed piece of it); every bucket comes, empty ones too.

    An empty bucket comes so that files which an earlier run of the same input
    left in it are removed: for it the pieces are none.
    """

    def __init__(self, buckets: int) -> None:
        super().__init__()
        self._buckets = buckets

    def expand(self, pieces: beam.PCollection[Sealed]) -> beam.PCollection[tuple[int, Iterable[bytes]]]:
        every = [(bucket, b"") for bucket in range(self._buckets)]
        seeds = pieces.pipeline | "EveryBucket" >> beam.Create(every, reshuffle=False).with_output_types(Sealed)
        return (pieces, seeds) | "WithEmptyBuckets" >> beam.Flatten() | "Group" >> beam.GroupByKey()
