"""What a bucket published lately, so far as later rows depend on it.

A batch run reads it from the files, once. The endless job reads it when it
starts and keeps it in memory from window to window (`memory`): keys of events, to
tell duplicates, and what belongs to suggestions that are not over. It follows
from the files alone, so it may be dropped at any time and read again.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from functools import partial

import numpy as np
import pyarrow as pa

from transforms.core.output.ledger import is_quiet
from transforms.core.output.published import PublishedRows, days_around, key_column
from transforms.core.recent.key_index import KeyIndex
from transforms.core.recent.open_facts import OpenFacts
from transforms.core.shuffle.windows import Window
from transforms.core.times import DAY_US, UNKNOWN_DATE, date_of, micros_of

_NO_KEYS = pa.array([], pa.string())


class Recent:
    """What one bucket remembers; `BucketMemory` lends it to whoever works on a portion of that bucket.

    `latest` is the latest receive time that the stream has seen, in microseconds since 1970. `is_kept` says that
    the next window goes on with it. Work that only the next window needs is put off until all files of this
    one are written: then nobody waits for it.
    """

    def __init__(self, published: PublishedRows, *, is_kept: bool) -> None:
        self.published = published
        self.is_kept = is_kept
        self.open_facts: OpenFacts | None = None
        self.latest: int | None = None
        self.quiet_since_s: int | None = None
        self.loan = 0
        self._put_off: list[Callable[[], None]] = []
        self._keys: dict[str, tuple[KeyIndex, int]] = {}

    def read_mark(self, window: Window) -> None:
        """Takes up what the mark of the window before this one says."""
        before = self.published.mark_at(window.stream, window.begin_s)
        if before is None:
            return
        if before["latest_received_at"] is not None:
            self.latest = micros_of(before["latest_received_at"])
        if is_quiet(before):
            self.quiet_since_s = int(before["window_begin"].timestamp())

    def same_keys(
        self, dataset: str, keys: pa.Array, times: np.ndarray, lookback: timedelta
    ) -> tuple[pa.Array, np.ndarray]:
        """Keys and receive times of rows published before that may be copies of these; others may be among them."""
        earliest = int(times.min()) - lookback // timedelta(microseconds=1)
        if self.is_kept and int(times.min()) > 0:
            if dataset not in self._keys:
                self._keys[dataset] = (self._read_keys(dataset, earliest), earliest)
            index, complete_from = self._keys[dataset]
            if earliest >= complete_from:
                found, values = index.find(keys)
                return found, values[0] if values else np.array([], dtype=np.int64)
        days = [date_of(day) for day in np.unique(times // DAY_US)]
        return self._read(dataset, days_around(days, lookback))

    def _read(self, dataset: str, days: Iterable[date]) -> tuple[pa.Array, np.ndarray]:
        key = key_column(dataset)
        rows = self.published.read(dataset, days, [key, "received_at"])
        if not rows.num_rows:
            return _NO_KEYS, np.array([], dtype=np.int64)
        times = rows["received_at"].cast(pa.int64()).combine_chunks().fill_null(0).to_numpy()
        return pa.concat_arrays(rows[key].chunks), times

    def _read_keys(self, dataset: str, earliest: int) -> KeyIndex:
        index = KeyIndex()
        first = max(date_of(earliest // DAY_US), UNKNOWN_DATE + timedelta(days=1))
        index.add(*self._read(dataset, self.published.days(dataset, first, date.max)))
        index.forget_before(earliest)
        return index

    def put_off(self, work: Callable[[], None]) -> None:
        """Keeps work for `settle`, which does it in the order in which it was put off."""
        self._put_off.append(work)

    def settle(self) -> None:
        """Does what was put off."""
        while self._put_off:
            self._put_off.pop(0)()

    def remember(self, tables: Mapping[tuple[str, date], pa.Table]) -> None:
        """Takes in, once it is settled, the keys of rows that were just published."""
        for (dataset, _), table in tables.items():
            if dataset in self._keys:
                times = pa.concat_arrays(table["received_at"].chunks).cast(pa.int64()).fill_null(0).to_numpy()
                keys = pa.concat_arrays(table[key_column(dataset)].chunks)
                self.put_off(partial(self._keys[dataset][0].add, keys, times))

    def forget_before(self, earliest: int) -> None:
        """Lets go, once it is settled, of keys of rows received earlier; where one matters yet, the files are read."""
        self.put_off(partial(self._forget_before, earliest))

    def _forget_before(self, earliest: int) -> None:
        for dataset, (index, complete_from) in self._keys.items():
            if earliest > complete_from:
                index.forget_before(earliest)
                self._keys[dataset] = (index, earliest)
