"""The endless job's windows one after another, without Beam: what a runner does, as a loop."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from pipelines.options.ingest_flags import default_geo_database
from tests.conftest import KEY_RING
from tests.support.marks import STREAM
from transforms.core.batches import PASSING, EventBatch
from transforms.core.blocks import Block, Taken
from transforms.core.curating.curate import curate, remembered
from transforms.core.curating.join import join_suggestions
from transforms.core.curating.permitted import Permitted, only_permitted
from transforms.core.curating.publish import Publisher
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys import keyring
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.erased import read_erased
from transforms.core.output.landing import Landing
from transforms.core.output.layout import Output
from transforms.core.protecting.places.geo import GeoDatabase
from transforms.core.protecting.protect import Protector
from transforms.core.recent.memory import BucketMemory
from transforms.core.shuffle.pieces import PieceBuilder, open_pieces
from transforms.core.shuffle.windows import Window, boundary_after, of_window

SLOTS = 16
Timed = tuple[float, bytes]
"""A line and the second at which it came into the log."""


class Windows:
    """Publishes windows of timed lines into an output."""

    def __init__(self, output: Path, buckets: int = 2, lookback: timedelta = timedelta(days=1),
                 horizon: timedelta = timedelta(minutes=30), lateness: timedelta = timedelta(0), sender_from: str = "") -> None:  # fmt: skip
        keys = step_keys_of(keyring.load(KEY_RING))
        self._output, self._buckets = Output(str(output)), buckets
        self._lookback, self._horizon, self._lateness = lookback, horizon, lateness
        self._decoder = BlockDecoder(keys.quarantine, SLOTS)
        self._protector = Protector(keys.pseudonyms, GeoDatabase(default_geo_database(), 15_000), SLOTS,
                                    overlap=lookback + horizon, sender_from=sender_from)  # fmt: skip
        self._sealer = keys.sealer()
        self._landing = Landing(keys.landing, "", SLOTS)
        self._publisher = Publisher(self._output.listing(), keys.roles, keys.row_proof, self._landing)
        self._permitted = Permitted(read_erased(self._output), keys.erased_key)
        self.memory = BucketMemory()

    def _pieces(self, block: Block) -> dict[int, list[bytes]]:
        builder, pieces = PieceBuilder(self._sealer, self._buckets), defaultdict(list)

        def sealed() -> Iterator[tuple[int, bytes]]:
            for batch in self._decoder.decode(block):
                if batch.kind in PASSING:
                    yield from builder.add(batch)
                else:
                    yield from builder.add(
                        EventBatch(batch.kind, self._protector.protect(batch.kind, batch.batch).batch)
                    )
            yield from builder.finish()

        for bucket, piece in sealed():
            pieces[bucket].append(piece)
        return pieces

    def publish(self, window: Window, block: Block, buckets: Collection[int] | None = None) -> None:
        """One window of every bucket, or of some."""
        pieces = self._pieces(block)
        for bucket in range(self._buckets) if buckets is None else buckets:
            portion = of_window(window, bucket, self._buckets)
            recent = self.memory.lend(portion, self._output.listing(), self._landing)
            tables = only_permitted(open_pieces(self._sealer, bucket, pieces[bucket]), self._permitted)
            curated = curate(portion, tables, recent, self._lookback, self._lateness, self._horizon)
            joined = join_suggestions(curated, recent, self._horizon, self._lookback, close_open=False)
            self._publisher.publish(joined, [])
            self.memory.give_back(portion, joined.loan, remembered(joined, self._lookback))

    def run(self, lines: Iterable[Timed], interval_s: int, restarts: Collection[int] = ()) -> list[Window]:
        """All windows from the first line to the last; what is in memory is lost before the windows of these numbers."""
        by_window: dict[int, list[bytes]] = defaultdict(list)
        for second, line in lines:
            by_window[boundary_after(int(second), interval_s)].append(line)
        windows, offset = [], 0
        begin_s = min(by_window) - interval_s
        for number, end_s in enumerate(range(min(by_window), max(by_window) + 1, interval_s)):
            if number in restarts:
                self.memory.forget()
            block = Block(lines=by_window[end_s])
            if block.lines:
                block.taken.append(Taken("0", offset, offset + len(block.lines)))
                offset += len(block.lines)
            windows.append(Window(STREAM, begin_s, end_s))
            self.publish(windows[-1], block)
            begin_s = end_s
        return windows
