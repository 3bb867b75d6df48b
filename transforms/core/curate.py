"""All pieces of a bucket -> the rows that land, by day and dataset, and the ledger's counts."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import load
from transforms.core.batches import CLOCK, COUNTS, QUARANTINE
from transforms.core.books import Books
from transforms.core.deduplicate import duplicates
from transforms.core.layout import LANDING_DATASETS
from transforms.core.pseudonyms import hex_column
from transforms.core.published import PublishedRows, days_around, key_column
from transforms.core.times import date_of, days_of

_SORT_KEYS = ("installation_id", "session_id", "occurred_at", "event_id", "payload_id", "received_at")


@dataclass
class CuratedBucket:
    """What a bucket publishes: tables in the datasets' file schemas, sorted, and counts by day.

    `clock` is the latest receive time of the whole input, None where it has no
    event. Code is still clear in it; it is written by the step it is fused with and
    refuses to be pickled.
    """

    bucket: int
    tables: dict[tuple[str, date], pa.Table] = field(default_factory=dict)
    counts: dict[date, Books] = field(default_factory=dict)
    clock: datetime | None = None

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("curated rows are written where they are made")

    def counts_of(self, day: date) -> Books:
        """The counts of a day, made where there are none yet."""
        return self.counts.setdefault(day, Books())


def curate(bucket: int, tables: dict[str, pa.Table], published: PublishedRows, lookback: timedelta) -> CuratedBucket:
    """Drops duplicates, sorts, splits by day, counts. The order of the rows changes nothing."""
    curated = CuratedBucket(bucket)
    for row in tables.pop(COUNTS, pa.table({})).to_pylist():
        curated.counts_of(date_of(row["days"])).add(row["kind"], row["key"], row["count"])
    if CLOCK in tables:
        curated.clock = pc.max(tables.pop(CLOCK)["received_at"]).as_py()
    for dataset in LANDING_DATASETS:
        if dataset in tables:
            _curate_dataset(curated, dataset, tables[dataset].combine_chunks(), published, lookback)
    return curated


def _curate_dataset(
    curated: CuratedBucket, dataset: str, table: pa.Table, published: PublishedRows, lookback: timedelta
) -> None:
    days = days_of(table["received_at"])
    dates = {int(d): date_of(d) for d in np.unique(days)}
    table = _as_in_files(dataset, table)
    is_duplicate = _duplicate_rows(curated.bucket, dataset, table, list(dates.values()), published, lookback)
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
            for reason in kept["reason"].to_pylist():
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


def _duplicate_rows(
    bucket: int,
    dataset: str,
    table: pa.Table,
    days: list[date],
    published: PublishedRows,
    lookback: timedelta,
) -> np.ndarray:
    key = key_column(dataset)
    others = published.read(dataset, bucket, days_around(days, lookback), [key, "received_at"])
    keys, times = pa.array([], pa.string()), np.array([], dtype=np.int64)
    if others.num_rows:
        keys = pa.concat_arrays(others[key].chunks)
        times = others["received_at"].cast(pa.int64()).fill_null(0).to_numpy()
    own = table["received_at"].cast(pa.int64()).fill_null(0).to_numpy()

    def content_of(row: int) -> str:
        columns: dict[str, Any] = table.drop_columns(_FRESH.get(dataset, [])).slice(row, 1).to_pylist()[0]
        return repr(columns)

    micros = lookback // timedelta(microseconds=1)
    own_keys = pa.concat_arrays(table[key].chunks)
    return duplicates(own_keys, own, keys, times, micros, content_of)


_FRESH = {QUARANTINE: ["body"]}
"""Columns that differ between two copies of one payload, because each was sealed afresh."""


def _sorted(table: pa.Table) -> pa.Table:
    keys = [(name, "ascending") for name in _SORT_KEYS if name in table.column_names]
    return table.sort_by(keys)
