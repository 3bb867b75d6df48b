"""All pieces of a bucket -> the rows that land, by day and dataset, and the ledger's counts."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import load
from transforms.core.batches import CLOCK, COUNT_BUCKET, COUNTS, QUARANTINE, RANGES, TAKEN
from transforms.core.curating.deduplicate import content_ranks, duplicates
from transforms.core.keys.pseudonym_columns import hex_column
from transforms.core.output.books import Books
from transforms.core.output.layout import LANDING_DATASETS
from transforms.core.output.published import key_column
from transforms.core.recent.recent import Recent
from transforms.core.shuffle.windows import Portion, mark_day
from transforms.core.times import TIMESTAMP, UNKNOWN_DATE, date_of, days_of

_SORT_KEYS = ("installation_id", "session_id", "occurred_at", "event_id", "payload_id", "received_at")


@dataclass
class CuratedBucket:
    """What a portion publishes: tables in the datasets' file schemas, sorted, and counts by day.

    `clock` is the receive time that suggestions are closed by, None where there is no event yet;
    facts published before are counted late if they were received after `counted_late_to`
    (microseconds). `taken` is what the source read: partition or file -> begin and end; `ranges`
    the same of a batch input: range -> bytes and payloads. Code is still clear in it; it is written
    by the step it is fused with and refuses to be pickled.
    """

    portion: Portion
    recent: Recent
    tables: dict[tuple[str, date], pa.Table] = field(default_factory=dict)
    counts: dict[date, Books] = field(default_factory=dict)
    clock: datetime | None = None
    counted_late_to: int = np.iinfo(np.int64).max
    taken: dict[str, tuple[int, int]] = field(default_factory=dict)
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("curated rows are written where they are made")

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came and nothing became of what was there."""
        return not (self.counts or self.tables or self.taken)

    @property
    def holds_ranges(self) -> bool:
        """Whether a ledger row of this portion says what was read, nothing too."""
        return self.portion.window is None and self.portion.bucket == COUNT_BUCKET

    @property
    def mark_begin_s(self) -> int:
        """Where the span begins that the window's mark stands for: quiet windows of a day are one span."""
        window, since_s = self.portion.window, self.recent.quiet_since_s
        assert window is not None
        goes_on = since_s is not None and self.is_quiet and mark_day(window.begin_s) == window.mark_day
        return since_s if goes_on and since_s is not None else window.begin_s

    def counts_of(self, day: date) -> Books:
        """The counts of a day, made where there are none yet."""
        return self.counts.setdefault(day, Books())


def curate(
    portion: Portion, tables: dict[str, pa.Table], recent: Recent, lookback: timedelta, lateness: timedelta
) -> CuratedBucket:
    """Drops duplicates, sorts, splits by day, counts. The order of the rows changes nothing.

    In a window the clock lags behind the latest receive time by the lateness, for receive times
    out of order; a batch input has all its rows.
    """
    curated = CuratedBucket(portion, recent)
    for row in tables.pop(COUNTS, pa.table({})).to_pylist():
        curated.counts_of(date_of(row["days"])).add(row["kind"], row["key"], row["count"])
    for row in tables.pop(TAKEN, pa.table({})).to_pylist():
        begin, end = curated.taken.get(row["part"], (row["begin"], row["end"]))
        curated.taken[row["part"]] = (min(begin, row["begin"]), max(end, row["end"]))
    for row in tables.pop(RANGES, pa.table({})).to_pylist():
        read_bytes, payloads = curated.ranges.get(row["range"], (0, 0))
        curated.ranges[row["range"]] = (read_bytes + row["read_bytes"], payloads + row["payloads"])
    _set_clock(curated, tables.pop(CLOCK, None), lateness)
    for dataset in LANDING_DATASETS:
        if dataset in tables:
            _curate_dataset(curated, dataset, tables[dataset].combine_chunks(), lookback)
    if curated.holds_ranges and not curated.counts:
        curated.counts_of(UNKNOWN_DATE)
    return curated


def _set_clock(curated: CuratedBucket, clocks: pa.Table | None, lateness: timedelta) -> None:
    seen = None if clocks is None else pc.max(clocks["received_at"].cast(pa.int64())).as_py()
    window = curated.portion.window
    if window is None:
        curated.clock = _moment(seen)
        return
    recent, lag = curated.recent, lateness // timedelta(microseconds=1)
    before = recent.latest
    recent.latest = max((t for t in (before, seen) if t is not None), default=None)
    # a collector's clock that is ahead must not close what is open: nothing was received after it was in the log
    curated.clock = _moment(None if recent.latest is None else min(recent.latest, window.end_s * 1_000_000) - lag)
    curated.counted_late_to = -1 if before is None else min(before, window.begin_s * 1_000_000) - lag


def _moment(micros: int | None) -> datetime | None:
    moment: datetime | None = pa.scalar(micros, TIMESTAMP).as_py()
    return moment


def _curate_dataset(curated: CuratedBucket, dataset: str, table: pa.Table, lookback: timedelta) -> None:
    days = days_of(table["received_at"])
    dates = {int(d): date_of(d) for d in np.unique(days)}
    table = _as_in_files(dataset, table)
    is_duplicate = _duplicate_rows(dataset, table, curated.recent, lookback)
    is_primary = table["is_primary"].to_numpy()
    for number, day in dates.items():
        within = days == number
        counts = curated.counts_of(day)
        counts.duplicate += int(np.count_nonzero(within & is_duplicate & is_primary))
        kept = table.filter(pa.array(within & ~is_duplicate))
        if not kept.num_rows:
            continue
        primary = pc.sum(kept["is_primary"]).as_py()
        if dataset == QUARANTINE:
            for reason in kept.filter(kept["is_primary"])["reason"].to_pylist():  # an attached row is no event
                counts.add("quarantined", reason, 1)
        else:
            counts.landed += primary
        counts.add("rows", dataset, kept.num_rows)
        curated.tables[dataset, day] = _sorted(kept.drop_columns(["is_primary"])).cast(load(dataset).arrow)


def _as_in_files(dataset: str, table: pa.Table) -> pa.Table:
    """Pseudonyms as 32 hex digits."""
    for index, f in enumerate(load(dataset).fields):
        if f.pseudonym_domain:
            values = pa.concat_arrays(table.column(index).chunks)
            table = table.set_column(index, f.name, hex_column(values))
    return table


def _duplicate_rows(dataset: str, table: pa.Table, recent: Recent, lookback: timedelta) -> np.ndarray:
    own_keys = pa.concat_arrays(table[key_column(dataset)].chunks)
    own = table["received_at"].cast(pa.int64()).fill_null(0).to_numpy()
    keys, times = recent.same_keys(dataset, own_keys, own, lookback)

    def contents_of(rows: np.ndarray) -> np.ndarray:
        return content_ranks(table.drop_columns(_FRESH.get(dataset, [])).take(pa.array(rows)))

    micros = lookback // timedelta(microseconds=1)
    return duplicates(own_keys, own, keys, times, micros, contents_of)


_FRESH = {QUARANTINE: ["body"]}
"""Columns that differ between two copies of one payload, because each was sealed afresh."""


def _sorted(table: pa.Table) -> pa.Table:
    keys = [(name, "ascending") for name in _SORT_KEYS if name in table.column_names]
    return table.sort_by(keys)
