"""WriteDatasets: curated portions -> Parquet files, the ledger row last."""

from collections.abc import Iterator
from datetime import date, timedelta

import apache_beam as beam

from transforms.core.curating.curate import CuratedBucket
from transforms.core.curating.publish import Publisher
from transforms.core.guard import payload_free_errors
from transforms.core.keys import keyring
from transforms.core.output import stream_state
from transforms.core.output.layout import Listing
from transforms.core.recent import recent
from transforms.core.shuffle.windows import Portion, Window
from transforms.core.times import micros_of
from transforms.counters import WRITTEN_BUCKETS

EarlierDays = dict[tuple[str, int], list[date]]
"""(Input, bucket) -> days for which an earlier run left files."""


class _Write(beam.DoFn):
    def __init__(
        self, key_ring: str, output: str, buckets: int, earlier_days: EarlierDays, lookback: timedelta
    ) -> None:
        self._key_ring = key_ring
        self._output = output
        self._buckets = buckets
        self._earlier_days = earlier_days
        self._lookback = lookback

    def setup(self) -> None:
        ring, listing = keyring.load(self._key_ring), Listing(self._output)
        self._publisher = Publisher(self._output, self._buckets, ring, listing)

    def start_bundle(self) -> None:
        self._published: list[Portion] = []

    def process(self, curated: CuratedBucket) -> Iterator[int]:
        portion = curated.portion
        with payload_free_errors():
            if portion.window is None or not is_whole(self._output, portion.window):
                self._publisher.publish(curated, self._earlier_days.get((portion.input, portion.bucket), []))
                if portion.window is not None:
                    keep_recent(curated, self._output, self._lookback)
                    self._published.append(portion)
        WRITTEN_BUCKETS.add(1)
        yield portion.bucket

    def finish_bundle(self) -> None:
        """Makes ready for the next window, once all buckets of this one can be read: a fifth of a window's work."""
        with payload_free_errors():
            for portion in self._published:
                recent.settle(self._output, portion)


def is_whole(output: str, window: Window) -> bool:
    """Whether the window was whole already: a runner went back to a checkpoint of before, and a window of a folder
    may then come with other files in it.
    """
    state = stream_state.load(output, window.stream)
    return state is not None and window.end_s <= state.whole_to_s


def keep_recent(curated: CuratedBucket, output: str, lookback: timedelta) -> None:
    """Keeps what the next window needs, now that every file of this one is written."""
    kept = curated.recent
    kept.quiet_since_s = curated.mark_begin_s if curated.is_quiet else None
    kept.remember(curated.tables)
    if curated.clock is not None:
        kept.forget_before(micros_of(curated.clock - lookback))
    recent.keep(output, curated.portion, kept)


class WriteDatasets(beam.PTransform):
    """CuratedBuckets -> the buckets whose files are whole.

    A file is a pure function of dataset, day, input or window, and bucket; a
    bundle that is tried again replaces its files with the same bytes. Raises
    StorageUnavailable where a file cannot be written.
    """

    def __init__(
        self, key_ring: str, output: str, buckets: int, earlier_days: EarlierDays, lookback: timedelta
    ) -> None:
        super().__init__()
        self._do_fn = _Write(key_ring, output, buckets, earlier_days, lookback)

    def expand(self, curated: beam.PCollection[CuratedBucket]) -> beam.PCollection[int]:
        return curated | "Write" >> beam.ParDo(self._do_fn).with_output_types(int)
