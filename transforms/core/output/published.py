"""What other inputs published already: the warm start of duplicate detection and of joining."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.registry import load
from transforms.core import storage
from transforms.core.output.layout import LEDGER, Listing
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
    """Reads rows of a portion's bucket that were published before it, by other inputs or windows."""

    def __init__(self, listing: Listing, portion: Portion) -> None:
        self._portion = portion
        self._listing = listing

    def days(self, dataset: str, first: date, last: date) -> list[date]:
        """The days from first to last for which the dataset has a folder."""
        return self._listing.days(dataset, first, last)

    def read(self, dataset: str, days: Iterable[date], columns: Sequence[str]) -> pa.Table:
        """These columns, as they stand in the files; no rows where nobody else wrote any.

        A column that a file does not have, because it was written before there was one, is null.
        """
        found = [_completed(self._read_file(path, columns), dataset, columns) for path in self._paths(dataset, days)]
        return pa.concat_tables(found) if found else pa.table({})

    def mark_at(self, stream: str, boundary_s: int) -> dict[str, Any] | None:
        """The bucket's ledger row that marks the stream's last window up to a boundary; None where there is none.

        Where the boundary lies within a quiet span whose mark has grown beyond it, that one.
        """
        marks = [mark for mark in mark_files(stream, self._listing, boundary_s - 1)
                 if mark[0].name.bucket == self._portion.bucket]  # fmt: skip
        if not marks:
            return None
        file, end_s = min(marks, key=lambda mark: mark[1])
        row: dict[str, Any] = self._read_file(file.path, load(LEDGER).arrow.names).to_pylist()[0]
        is_within = is_quiet(row) and row["window_begin"].timestamp() < boundary_s
        return row if end_s == boundary_s or is_within else None

    def _paths(self, dataset: str, days: Iterable[date]) -> Iterator[str]:
        for file in self._listing.files(dataset, days=days):
            if file.name.bucket == self._portion.bucket and self._portion.comes_after(file.name.input):
                yield file.path

    def _read_file(self, path: str, columns: Sequence[str]) -> pa.Table:
        with storage.open_read(path) as file:
            return pq.ParquetFile(file).read(columns=list(columns)).replace_schema_metadata(None)


def _completed(table: pa.Table, dataset: str, columns: Sequence[str]) -> pa.Table:
    missing = [name for name in columns if name not in table.column_names]
    for name in missing:
        table = table.append_column(name, pa.nulls(table.num_rows, load(dataset).field(name).type))
    return table.select(columns) if missing else table
