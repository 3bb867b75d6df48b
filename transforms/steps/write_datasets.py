"""WriteDatasets: curated portions -> Parquet files, the ledger row last."""

from collections.abc import Iterator
from datetime import date, timedelta

import apache_beam as beam

from transforms.core.curating.curate import CuratedBucket, remembered
from transforms.core.curating.publish import Publisher
from transforms.core.guard import payload_free_errors
from transforms.core.keys.open_ring import open_landing, open_roles, open_row_proof
from transforms.core.output import stream_state
from transforms.core.output.landing import Landing
from transforms.core.output.layout import Output
from transforms.core.output.publishing import publishing_of
from transforms.core.recent.memory import BucketMemory
from transforms.core.shuffle.windows import Portion, Window
from transforms.counters import WRITTEN_BUCKETS

EarlierDays = dict[tuple[str, int], list[date]]
"""(Input, bucket) -> the days for which an earlier run of the same input left files of people who are in the bucket."""


class _Write(beam.DoFn):
    def __init__(self, key_ring: str, output: Output, earlier_days: EarlierDays, lookback: timedelta) -> None:
        self._key_ring = key_ring
        self._output = output
        self._earlier_days = earlier_days
        self._lookback = lookback

    def setup(self) -> None:
        self._memory = BucketMemory.of(self._output)
        self._open()

    def _open(self) -> None:
        self._keys = open_roles(self._key_ring)
        landing = Landing.of(self._output, open_landing(self._key_ring))
        proof = open_row_proof(self._key_ring)
        self._publisher = Publisher(self._output.listing(), self._keys, proof, landing)

    def start_bundle(self) -> None:
        """An endless job sees months and readers that came to the ring, or went, since it began."""
        self._published: list[Portion] = []
        if open_roles(self._key_ring) is not self._keys:
            self._open()

    def process(self, curated: CuratedBucket) -> Iterator[int]:
        portion = curated.portion
        with payload_free_errors(), publishing_of(self._output).one():
            is_done = portion.window is not None and is_whole(self._output, portion.window)
            if not is_done:
                self._publisher.publish(curated, self._earlier_days.get((portion.input, portion.bucket), []))
                self._published.append(portion)
            self._memory.give_back(portion, curated.loan, None if is_done else remembered(curated, self._lookback))
        WRITTEN_BUCKETS.add(1)
        yield portion.bucket

    def finish_bundle(self) -> None:
        """Does what only the next window needs, once this one's files can be read: a fifth of a window's work."""
        with payload_free_errors():
            for portion in self._published:
                self._memory.settle(portion)


def is_whole(output: Output, window: Window) -> bool:
    """Whether the window was whole already, so that its files must stay as they are.

    That happens when a runner goes back to an older checkpoint: a window of a folder may then come with other files
    in it.
    """
    state = stream_state.load(output, window.stream)
    return state is not None and window.end_s <= state.whole_to_s


class WriteDatasets(beam.PTransform):
    """CuratedBuckets -> the buckets whose files are whole.

    A file is a pure function of dataset, day, input or window, and bucket, so a
    bundle that is tried again replaces its files with the same bytes. Raises
    StorageUnavailable where a file cannot be written.
    """

    def __init__(self, key_ring: str, output: Output, earlier_days: EarlierDays, lookback: timedelta) -> None:
        super().__init__()
        self._do_fn = _Write(key_ring, output, earlier_days, lookback)

    def expand(self, curated: beam.PCollection[CuratedBucket]) -> beam.PCollection[int]:
        return curated | "Write" >> beam.ParDo(self._do_fn).with_output_types(int)
