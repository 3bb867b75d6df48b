"""All pieces of each bucket, and every bucket."""

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from transforms.core.shuffle.pieces import Sealed
from transforms.core.shuffle.windows import Portion
from transforms.steps.group_by_bucket import GroupByBucket

BUCKETS = 3


@pytest.mark.parametrize("told", [[], [(1, b"a"), (0, b"b"), (1, b"c"), (1, b"a")]], ids=["nothing", "some"])
def test_every_bucket_comes_once_with_all_its_pieces(told: list[Sealed]) -> None:
    with beam.Pipeline("FnApiRunner", PipelineOptions([])) as pipeline:
        pieces = pipeline | beam.Create(told, reshuffle=False).with_output_types(Sealed)
        found = (
            pieces | GroupByBucket("0f" * 8, BUCKETS) | beam.MapTuple(lambda p, held: (p, sorted(x for x in held if x)))
        )
        expected = [
            (Portion("0f" * 8, b, None, BUCKETS), sorted(x for bucket, x in told if bucket == b))
            for b in range(BUCKETS)
        ]
        assert_that(found, equal_to(expected))
