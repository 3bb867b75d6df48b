"""JoinSuggestions: a portion's curated rows -> the same, with the suggestions that are over."""

from collections.abc import Iterator
from datetime import timedelta

import apache_beam as beam

from transforms.core.curating.curate import CuratedBucket
from transforms.core.curating.join import join_suggestions
from transforms.core.guard import payload_free_errors
from transforms.core.output.layout import Output
from transforms.core.recent.memory import BucketMemory


class _Join(beam.DoFn):
    def __init__(self, output: Output, horizon: timedelta, lookback: timedelta, close_open: bool) -> None:
        self._output = output
        self._horizon = horizon
        self._lookback = lookback
        self._close_open = close_open

    def setup(self) -> None:
        self._memory = BucketMemory.of(self._output)

    def process(self, curated: CuratedBucket) -> Iterator[CuratedBucket]:
        with payload_free_errors():
            recent = self._memory.lent(curated.portion, curated.loan)
            yield join_suggestions(curated, recent, self._horizon, self._lookback, self._close_open)


class JoinSuggestions(beam.PTransform):
    """CuratedBuckets -> CuratedBuckets with rows of `suggestions` and counts of late facts.

    A suggestion is written once its life is over, by the rule in
    `transforms.core.suggestions.lives`. The facts of one that is open stay, and
    the next run or window joins them. The element itself is not changed. Raises
    StorageUnavailable where published rows cannot be read.
    """

    def __init__(self, output: Output, horizon: timedelta, lookback: timedelta, close_open: bool) -> None:
        super().__init__()
        self._do_fn = _Join(output, horizon, lookback, close_open)

    def expand(self, curated: beam.PCollection[CuratedBucket]) -> beam.PCollection[CuratedBucket]:
        return curated | "Join" >> beam.ParDo(self._do_fn).with_output_types(CuratedBucket)
