"""What a bucket published lately, as far as later rows depend on it.

A batch run reads it from the files, once. The endless job reads it when it
starts and keeps it in memory from window to window (see `memory`): the keys of
events, to tell duplicates, and what belongs to suggestions that are not over. It
follows from the files alone, so it may be dropped at any time and read again.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from functools import partial

import numpy as np
import pyarrow as pa

from schemas.registry import EVENT_DATASETS
from transforms.core.output.ledger import is_quiet
from transforms.core.output.published import PublishedRows, days_around, key_column
from transforms.core.recent.key_index import KeyIndex
from transforms.core.recent.near_ids import NearIds, NearIndex, columns_asked, ids_of, together
from transforms.core.recent.open_facts import OpenFacts
from transforms.core.shuffle.windows import Window
from transforms.core.times import DAY_US, UNKNOWN_DATE, date_of, micros_of


class Recent:
    """What one bucket remembers; `BucketMemory` lends it to whoever works on a portion of that bucket.

    `latest_us` is the latest receive time that the stream has seen, in microseconds since 1970, and
    `quiet_since_s` the begin of the quiet span that ended with the window before, in seconds since 1970.
    `is_kept` says that the next window goes on with it. Work that only the next window needs is put off until
    all files of this one are written: then nobody waits for it.
    """

    def __init__(self, published: PublishedRows, *, is_kept: bool) -> None:
        self.published = published
        self.is_kept = is_kept
        self.open_facts: OpenFacts | None = None
        self.latest_us: int | None = None
        self.quiet_since_s: int | None = None
        self.loan = 0
        self._put_off: list[Callable[[], None]] = []
        # Dataset -> keys with their receive times, and since when they are complete, both in microseconds since 1970.
        self._keys: dict[str, tuple[KeyIndex, int]] = {}
        self._near: NearIndex | None = None

    def read_mark(self, window: Window) -> None:
        """Reads what the mark of the window before this one says; raises StorageUnavailable."""
        before = self.published.mark_at(window.stream, window.begin_s)
        if before is None:
            return
        if before["latest_received_at"] is not None:
            self.latest_us = micros_of(before["latest_received_at"])
        if is_quiet(before):
            self.quiet_since_s = int(before["window_begin"].timestamp())

    def same_keys(
        self, dataset: str, keys: pa.Array, times_us: np.ndarray, lookback: timedelta
    ) -> tuple[pa.Array, np.ndarray]:
        """Keys and receive times of rows published before that may be copies of these; others may be among them.

        `times_us` are the receive times of the rows, in microseconds since 1970, 0 where unknown; there is at least
        one. Raises StorageUnavailable.
        """
        earliest_us = int(times_us.min()) - lookback // timedelta(microseconds=1)
        # Rows of an unknown time lie in a day of their own, so far back that an index would have to hold everything.
        if self.is_kept and int(times_us.min()) > 0:
            if dataset not in self._keys:
                self._keys[dataset] = (self._read_keys(dataset, earliest_us), earliest_us)
            index, complete_from_us = self._keys[dataset]
            if earliest_us >= complete_from_us:
                found, values = index.find(keys)
                return found, values[0] if values else np.array([], dtype=np.int64)
        days = [date_of(day) for day in np.unique(times_us // DAY_US)]
        return self._read(dataset, days_around(days, lookback))

    def _read(self, dataset: str, days: Iterable[date]) -> tuple[pa.Array, np.ndarray]:
        key = key_column(dataset)
        rows = self.published.read(dataset, days, [key, "received_at"])
        if not rows.num_rows:
            return pa.array([], pa.string()), np.array([], dtype=np.int64)
        times_us = rows["received_at"].cast(pa.int64()).combine_chunks().fill_null(0).to_numpy()
        return pa.concat_arrays(rows[key].chunks), times_us

    def _read_keys(self, dataset: str, earliest_us: int) -> KeyIndex:
        index = KeyIndex()
        first = max(date_of(earliest_us // DAY_US), UNKNOWN_DATE + timedelta(days=1))
        index.add(*self._read(dataset, self.published.days(dataset, first, date.max)))
        index.forget_before(earliest_us)
        return index

    def near_ids(self, month: str, ids: pa.Array, since_us: int, until_us: int) -> NearIds:
        """What rows published before say of these ids (nulls are left out), and of others, in a span of receive times.

        `month` is the former one; times are microseconds since 1970. Rows from outside of the span may be among them.
        Raises StorageUnavailable.
        """
        if not self.is_kept:
            return self._read_near(month, since_us, date_of(until_us // DAY_US))
        if self._near is None or self._near.month != month:
            self._near = NearIndex(month, since_us, self._read_near(month, since_us, date.max))
        self._near.asked_us = max(self._near.asked_us, until_us)
        if since_us >= self._near.complete_from_us:
            return self._near.find(ids)
        return self._read_near(month, since_us, date.max)

    def _read_near(self, month: str, since_us: int, last: date) -> NearIds:
        told, first = [], date_of(since_us // DAY_US)
        for dataset in EVENT_DATASETS:
            rows = self.published.read(dataset, self.published.days(dataset, first, last), columns_asked(dataset))
            if rows.num_rows:
                told.append(ids_of(dataset, rows, month, since_us))
        return together(told)

    def put_off(self, work: Callable[[], None]) -> None:
        """Keeps work for `settle`, which does it in the order in which it was put off."""
        self._put_off.append(work)

    def settle(self) -> None:
        """Does what was put off."""
        while self._put_off:
            self._put_off.pop(0)()

    def remember(self, tables: Mapping[tuple[str, date], pa.Table]) -> None:
        """Adds the keys of rows that were just published, once `settle` is called."""
        for (dataset, _), table in tables.items():
            if self._near is not None and dataset in EVENT_DATASETS:
                self.put_off(partial(self._add_near, dataset, table))
            if dataset in self._keys:
                times_us = pa.concat_arrays(table["received_at"].chunks).cast(pa.int64()).fill_null(0).to_numpy()
                keys = pa.concat_arrays(table[key_column(dataset)].chunks)
                self.put_off(partial(self._keys[dataset][0].add, keys, times_us))

    def _add_near(self, dataset: str, table: pa.Table) -> None:
        if self._near is not None and self._near.is_over(table):
            self._near = None
        if self._near is not None:
            self._near.add(dataset, table)

    def forget_before(self, earliest_us: int) -> None:
        """Removes the keys of rows received before `earliest_us`, once `settle` is called.

        Where one of them matters later on, the files are read.
        """
        self.put_off(partial(self._forget_before, earliest_us))

    def _forget_before(self, earliest_us: int) -> None:
        if self._near is not None:
            self._near.forget_before(earliest_us)
        for dataset, (index, complete_from_us) in self._keys.items():
            if earliest_us > complete_from_us:
                index.forget_before(earliest_us)
                self._keys[dataset] = (index, earliest_us)
