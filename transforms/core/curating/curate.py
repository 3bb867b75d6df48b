"""All pieces of a bucket -> the rows that land, by day and dataset, and the ledger's counts."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import FORMER, load
from transforms.core.batches import CLOCK, COUNT_BUCKET, COUNTS, QUARANTINE, RANGES, TAKEN
from transforms.core.curating.deduplicate import content_ranks, duplicates
from transforms.core.curating.epochs import settle_epochs
from transforms.core.keys.pseudonym_columns import hex_column
from transforms.core.output.books import Books
from transforms.core.output.layout import LANDING_DATASETS
from transforms.core.output.published import key_column
from transforms.core.recent.memory import Published
from transforms.core.recent.recent import Recent
from transforms.core.shuffle.windows import Portion, mark_day
from transforms.core.times import TIMESTAMP, UNKNOWN_DATE, date_of, days_of, micros_of


class Clock(NamedTuple):
    """The receive times that decide which suggestions are over and which facts are late.

    A suggestion is closed if its life ended before `closes_to`; None where there is no event yet. Facts published
    before were counted as late up to `counted_late_to_us`, and those received after it still have to be.
    `latest_us` is the latest receive time that the stream has seen. The two numbers are microseconds since 1970.
    """

    closes_to: datetime | None = None
    counted_late_to_us: int = np.iinfo(np.int64).max
    latest_us: int | None = None


@dataclass(frozen=True)
class CuratedBucket:
    """What a portion publishes: tables in the datasets' file schemas, with ids as in memory, and counts by day.

    `taken` says what the source of a stream read: partition or file -> begin and end, exclusive. `ranges` says it
    of a batch input: range -> bytes and payloads. `loan` is the number under which the bucket's memory is lent, and
    `quiet_since_s` the begin of the quiet span before the portion, in seconds since 1970. Nothing in it is changed
    once it is made. It holds code in clear; the step that writes it is fused with this one, and it refuses to be
    pickled.
    """

    portion: Portion
    tables: Mapping[tuple[str, date], pa.Table] = field(default_factory=dict)
    counts: Mapping[date, Books] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    taken: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    loan: int = 0
    quiet_since_s: int | None = None

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("curated rows are written where they are made")

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came and nothing became of what was there."""
        return not (self.counts or self.tables or self.taken)

    @property
    def holds_ranges(self) -> bool:
        """Whether a ledger row of this portion says what was read of a batch input, even if nothing was."""
        return self.portion.window is None and self.portion.bucket == COUNT_BUCKET

    @property
    def mark_begin_s(self) -> int:
        """Where the span begins that the window's mark stands for, in seconds since 1970.

        Quiet windows of one day are marked as one span: an endless job with nothing to do would write a file for
        each bucket and window.
        """
        window, since_s = self.portion.window, self.quiet_since_s
        assert window is not None
        goes_on = since_s is not None and self.is_quiet and mark_day(window.begin_s) == window.mark_day
        return since_s if goes_on and since_s is not None else window.begin_s


def curate(
    portion: Portion, tables: Mapping[str, pa.Table], recent: Recent, lookback: timedelta, lateness: timedelta,
    horizon: timedelta, least_clock_us: int | None = None,
) -> CuratedBucket:  # fmt: skip
    """Drops duplicates, settles the month of each row, splits by day and counts. No order of rows changes anything.

    `tables` are by kind, as `open_pieces` gives them. In a window the clock lags behind the latest receive time by
    the lateness, because rows come out of order; a batch input has all its rows. Its clock is at least
    `least_clock_us`: rows that are read again long after their day close what is over by now. Raises
    StorageUnavailable where published rows cannot be read.
    """
    counts: dict[date, Books] = defaultdict(Books)
    for row in _rows(tables, COUNTS):
        counts[date_of(row["days"])].add(row["kind"], row["key"], row["count"])
    kept = {
        dataset: _without_duplicates(counts, recent, dataset, tables[dataset].combine_chunks(), lookback)
        for dataset in LANDING_DATASETS
        if dataset in tables
    }
    landed: dict[tuple[str, date], pa.Table] = {}
    for dataset, table in settle_epochs(kept, recent, horizon).items():
        landed |= _by_day(counts, dataset, table)
    clock = _clock(portion, recent, tables.get(CLOCK), lateness, least_clock_us)
    curated = CuratedBucket(
        portion, landed, dict(counts), clock, _taken(tables), _ranges(tables), recent.loan, recent.quiet_since_s
    )
    # An input of which nothing came needs a row of the ledger, too: without one it could not be told from a lost one.
    return replace(curated, counts={UNKNOWN_DATE: Books()}) if curated.holds_ranges and not counts else curated


def _rows(tables: Mapping[str, pa.Table], kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tables[kind].to_pylist() if kind in tables else []
    return found


def _taken(tables: Mapping[str, pa.Table]) -> dict[str, tuple[int, int]]:
    """For each partition or file that a stream's source read the smallest begin and the largest end."""
    taken: dict[str, tuple[int, int]] = {}
    for row in _rows(tables, TAKEN):
        begin, end = taken.get(row["part"], (row["begin"], row["end"]))
        taken[row["part"]] = (min(begin, row["begin"]), max(end, row["end"]))
    return taken


def _ranges(tables: Mapping[str, pa.Table]) -> dict[str, tuple[int, int]]:
    """For each range of a batch input the sums of bytes and payloads that were read of it."""
    ranges: dict[str, tuple[int, int]] = {}
    for row in _rows(tables, RANGES):
        read_bytes, payloads = ranges.get(row["range"], (0, 0))
        ranges[row["range"]] = (read_bytes + row["read_bytes"], payloads + row["payloads"])
    return ranges


def _clock(
    portion: Portion, recent: Recent, clocks: pa.Table | None, lateness: timedelta, least_us: int | None
) -> Clock:
    seen_us = None if clocks is None else pc.max(clocks["received_at"].cast(pa.int64())).as_py()
    window = portion.window
    if window is None:
        return Clock(_datetime(max((time_us for time_us in (seen_us, least_us) if time_us is not None), default=None)))
    lag_us, before_us = lateness // timedelta(microseconds=1), recent.latest_us
    latest_us = max((time_us for time_us in (before_us, seen_us) if time_us is not None), default=None)
    # A collector's clock that is ahead must not close what is open: nothing was received after it was in the log.
    closes_to_us = None if latest_us is None else min(latest_us, window.end_s * 1_000_000) - lag_us
    # This is where the clock of the window before stood, whose facts up to there were looked at then.
    counted_late_to_us = -1 if before_us is None else min(before_us, window.begin_s * 1_000_000) - lag_us
    return Clock(_datetime(closes_to_us), counted_late_to_us, latest_us)


def _datetime(time_us: int | None) -> datetime | None:
    time: datetime | None = pa.scalar(time_us, TIMESTAMP).as_py()
    return time


def _without_duplicates(
    counts: dict[date, Books], recent: Recent, dataset: str, table: pa.Table, lookback: timedelta
) -> pa.Table:
    """The rows that land; adds the others to `counts`."""
    days = days_of(table["received_at"])
    table = as_in_files(dataset, table)
    is_duplicate = duplicate_rows(dataset, table, recent, lookback)
    is_primary = table["is_primary"].to_numpy()
    for number in np.unique(days):
        copies = np.count_nonzero((days == number) & is_duplicate & is_primary)
        counts[date_of(int(number))].duplicate += int(copies)
    return table.filter(pa.array(~is_duplicate)) if is_duplicate.any() else table


def _by_day(counts: dict[date, Books], dataset: str, table: pa.Table) -> dict[tuple[str, date], pa.Table]:
    """Rows that land by day; adds to `counts` what became of each event."""
    landed = {}
    days = days_of(table["received_at"])
    for number in np.unique(days):
        day, kept = date_of(int(number)), table.filter(pa.array(days == number))
        of_day = counts[day]
        # An event can leave rows in several datasets. One of them is primary, and only that one is counted.
        primary = pc.sum(kept["is_primary"]).as_py()
        if dataset == QUARANTINE:
            for reason in kept.filter(kept["is_primary"])["reason"].to_pylist():
                of_day.add("quarantined", reason, 1)
        else:
            of_day.landed += primary
        of_day.add("rows", dataset, kept.num_rows)
        landed[dataset, day] = kept.drop_columns(["is_primary"]).cast(load(dataset).arrow)
    return landed


def as_in_files(dataset: str, table: pa.Table) -> pa.Table:
    """The same with pseudonyms as 32 hex digits; they travel as 16 bytes. Ids are those of memory, not of files."""
    for index, f in enumerate(load(dataset).fields):
        if f.pseudonym_domain:
            values = pa.concat_arrays(table.column(index).chunks)
            table = table.set_column(index, f.name, hex_column(values))
    return table


def duplicate_rows(dataset: str, table: pa.Table, recent: Recent, lookback: timedelta) -> np.ndarray:
    """Which rows (a mask) are copies of others, or of what was published before.

    The table is as `as_in_files` gives it. Raises StorageUnavailable where published rows cannot be read.
    """
    own_keys = pa.concat_arrays(table[key_column(dataset)].chunks)
    own_times_us = table["received_at"].cast(pa.int64()).fill_null(0).to_numpy()
    keys, times_us = recent.same_keys(dataset, own_keys, own_times_us, lookback)

    def contents_of(rows: np.ndarray) -> np.ndarray:
        told = table.select([name for name in table.column_names if name not in _NOT_COMPARED])
        return content_ranks(told.take(pa.array(rows)))

    lookback_us = lookback // timedelta(microseconds=1)
    return duplicates(own_keys, own_times_us, keys, times_us, lookback_us, contents_of)


_NOT_COMPARED = ("body", *FORMER.values())
"""Columns that differ between two copies of one payload, because each was sealed afresh; and those that follow from
others."""


def remembered(curated: CuratedBucket, lookback: timedelta) -> Published:
    """What the bucket has to remember of a portion, once every file of the portion is written."""
    quiet_since_s = curated.mark_begin_s if curated.portion.window is not None and curated.is_quiet else None
    closes_to = curated.clock.closes_to
    forget_before_us = None if closes_to is None else micros_of(closes_to - lookback)
    return Published(curated.tables, curated.clock.latest_us, quiet_since_s, forget_before_us)
