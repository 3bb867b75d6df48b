"""What other inputs published already: the warm start of duplicate detection and of joining."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.registry import load
from transforms.core import storage
from transforms.core.carried import SLOT
from transforms.core.output.landing import Landing
from transforms.core.output.layout import LEDGER, FileName, Listing
from transforms.core.output.ledger import is_quiet, mark_files
from transforms.core.shuffle.windows import Portion
from transforms.core.times import UNKNOWN_DATE

_KEY_COLUMNS = {"quarantine": "payload_id"}


def key_column(dataset: str) -> str:
    """The column that tells duplicates in a dataset."""
    return _KEY_COLUMNS.get(dataset, "event_id")


def whole_days(span: timedelta) -> int:
    """How many days a span reaches, rounded up."""
    return -(-span // timedelta(days=1))


def days_around(days: Iterable[date], lookback: timedelta) -> list[date]:
    """Every day that holds rows at most the lookback away from rows of these days."""
    reach = whole_days(lookback)
    near: set[date] = set()
    for day in days:
        offsets = range(-reach, reach + 1) if day != UNKNOWN_DATE else (0,)
        near.update(day + timedelta(days=n) for n in offsets)
    return sorted(near)


class PublishedRows:
    """Reads rows of a portion's bucket that were published before it, by other inputs or windows.

    Those may have put people into another number of buckets. Of their files such are read that may hold people of
    this one, and of these files' rows those of its slots.
    """

    def __init__(self, listing: Listing, portion: Portion, landing: Landing) -> None:
        self._portion = portion
        self._listing = listing
        self._landing = landing

    def days(self, dataset: str, first: date, last: date) -> list[date]:
        """The days from first to last for which the dataset has a folder."""
        return self._listing.days(dataset, first, last)

    def read(self, dataset: str, days: Iterable[date], columns: Sequence[str]) -> pa.Table:
        """These columns, with ids and slots as they are in memory; no rows where nobody else wrote any.

        A column that a file does not have, because it was written before there was one, is null.
        """
        found = [self._rows(path, name, dataset, columns) for path, name in self._files(dataset, days)]
        return pa.concat_tables(found) if found else pa.table({})

    def mark_at(self, stream: str, boundary_s: int) -> dict[str, Any] | None:
        """The bucket's ledger row that marks the stream's last window up to a boundary; None where there is none.

        Where the boundary lies within a quiet span whose mark has grown beyond it, that one. Where the job then had
        another number of buckets, that of any of them: all know the same of the stream. A quiet span of theirs does
        not go on, it begins at the boundary.
        """
        marks = [(file.name.buckets != self._portion.buckets, file, end_s)
                 for file, end_s in mark_files(stream, self._listing, boundary_s - 1)
                 if file.name.bucket == self._portion.bucket or file.name.buckets != self._portion.buckets]  # fmt: skip
        if not marks:
            return None
        is_foreign, file, end_s = min(marks, key=lambda mark: (mark[0], mark[2]))
        row: dict[str, Any] = _read_file(file.path, load(LEDGER).arrow.names).to_pylist()[0]
        is_within = is_quiet(row) and row["window_begin"].timestamp() < boundary_s
        if is_foreign:
            row["window_begin"] = datetime.fromtimestamp(boundary_s, UTC)
        return row if end_s == boundary_s or is_within else None

    def _files(self, dataset: str, days: Iterable[date]) -> Iterator[tuple[str, FileName]]:
        for file in self._listing.files(dataset, days=days):
            may_hold = file.name.may_hold(self._portion.bucket, self._portion.buckets)
            if may_hold and self._portion.comes_after(file.name.input):
                yield file.path, file.name

    def _rows(self, path: str, name: FileName, dataset: str, columns: Sequence[str]) -> pa.Table:
        is_mixed = name.may_hold_others(self._portion.buckets)
        wanted = [*columns, *([SLOT] if is_mixed and SLOT not in columns else [])]
        read = _read_file(path, self._landing.needed(dataset, wanted))
        table = _completed(self._landing.from_files(dataset, read), dataset, wanted, name)
        if is_mixed:
            # Compaction leaves rows of older versions without a slot. They are of days whose suggestions are over, so
            # each bucket may look for copies among them.
            slots = table[SLOT].fill_null(-1).to_numpy()
            table = table.filter(pa.array((slots < 0) | (slots % self._portion.buckets == self._portion.bucket)))
        return table.select(columns)


def _read_file(path: str, columns: Sequence[str]) -> pa.Table:
    with storage.open_read(path) as file:
        return pq.ParquetFile(file).read(columns=list(columns)).replace_schema_metadata(None)


def _completed(table: pa.Table, dataset: str, columns: Sequence[str], name: FileName) -> pa.Table:
    for missing in [column for column in columns if column not in table.column_names]:
        kind = load(dataset).field(missing).type
        is_slot = missing == SLOT and name.buckets is None  # such a file holds one slot, whose number is in its name
        values = pa.array(np.full(table.num_rows, name.bucket), kind) if is_slot else pa.nulls(table.num_rows, kind)
        table = table.append_column(missing, values)
    return table.select(columns)
