"""GroupByBucket: sealed pieces -> all pieces of each bucket; the one shuffle of the batch job."""

from collections.abc import Iterable

import apache_beam as beam

from transforms.core.shuffle.pieces import Sealed
from transforms.core.shuffle.windows import Portion


class GroupByBucket(beam.PTransform):
    """(bucket, sealed) -> (portion, all its pieces), one for each bucket, empty ones too.

    An empty bucket comes so that files which an earlier run of the same input
    left in it are removed. Among the pieces of each bucket is one of no bytes.
    """

    def __init__(self, input_digest: str, buckets: int) -> None:
        super().__init__()
        self._input_digest = input_digest
        self._buckets = buckets

    def expand(self, pieces: beam.PCollection[Sealed]) -> beam.PCollection[tuple[Portion, Iterable[bytes]]]:
        every = [(bucket, b"") for bucket in range(self._buckets)]
        seeds = pieces.pipeline | "EveryBucket" >> beam.Create(every, reshuffle=False).with_output_types(Sealed)
        return (
            (pieces, seeds)
            | "WithEmptyBuckets" >> beam.Flatten()
            | "Group" >> beam.GroupByKey()
            | "OfInput" >> beam.Map(_of_input, self._input_digest)
        )


def _of_input(grouped: tuple[int, Iterable[bytes]], input_digest: str) -> tuple[Portion, Iterable[bytes]]:
    return Portion(input_digest, grouped[0]), grouped[1]
