"""Reads the books of an output and says whether they balance."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StorageUnavailable
from transforms.core import storage
from transforms.core.output.books import Books
from transforms.core.output.compacted import Compacted, Held, Rows, follow
from transforms.core.output.expired import Expired, read_expired
from transforms.core.output.input_days import days_of_input
from transforms.core.output.layout import DATA_DATASETS, LEDGER, DataFile, FileName, Listing, Output, parse_name
from transforms.core.output.unfinished import read_unfinished
from transforms.core.shuffle.windows import mark_day, window_end_s


@dataclass(frozen=True)
class Mark:
    """One ledger row and where it stands."""

    day: date
    name: FileName
    row: dict[str, Any]
    size_bytes: int = 0
    """Of the row's file, as is its digest."""
    sha256: str = ""


def read_marks(output: Output, input_digest: str | None = None) -> list[Mark]:
    """Every ledger row of an output, or of one input of it."""
    marks = []
    for file in output.listing().files(LEDGER, days=days_of_input(output, input_digest), of_input=input_digest):
        if (mark := read_mark(file)) is not None:
            marks.append(mark)
    return marks


def read_mark(file: DataFile) -> Mark | None:
    """A ledger row with where it stands; None where it is gone since it was listed."""
    data = _content(file.path)
    if data is None:
        return None
    return mark_of(file, data)


def mark_of(file: DataFile, data: bytes) -> Mark:
    """The ledger row of a file's bytes with where it stands."""
    return Mark(file.day, file.name, row_of(data), len(data), hashlib.sha256(data).hexdigest())


def read_row(path: str, columns: Sequence[str] | None = None) -> dict[str, Any] | None:
    """A ledger row, or these columns of it; None where it is gone since it was listed: a quiet span of the endless job
    has grown.
    """
    data = _content(path)
    return None if data is None else row_of(data, columns)


def row_of(data: bytes, columns: Sequence[str] | None = None) -> dict[str, Any]:
    """The row of a ledger file's bytes, or these columns of it as far as the file has them."""
    row: dict[str, Any] = pq.ParquetFile(pa.BufferReader(data)).read(columns, use_threads=False).to_pylist()[0]
    return row


def _content(path: str) -> bytes | None:
    try:
        return storage.read_bytes(path)
    except StorageUnavailable:
        if storage.exists(path):
            raise
        return None


def mark_files(stream: str, listing: Listing, after_s: int) -> Iterator[tuple[DataFile, int]]:
    """File and end of each mark of a stream's later windows: of a window's ledger rows one is its mark."""
    days = listing.days(LEDGER, mark_day(after_s + 1) if after_s >= 0 else date.min)
    for file in listing.files(LEDGER, days=days):
        end_s = window_end_s(file.name.input, stream)
        if end_s is not None and end_s > after_s and mark_day(end_s) == file.day:
            yield file, end_s


def is_quiet(mark: Mapping[str, Any]) -> bool:
    """Whether a window's mark says that nothing came and nothing became of what was there."""
    return not any(mark[name] for name in ("window_events", "window_accounted", "window_rows", "positions_end"))


def total(marks: Iterable[Mark]) -> Books:
    """The sum of ledger rows."""
    books = Books()
    for mark in marks:
        books.add_row(mark.row)
    return books


def footer_rows(file: DataFile) -> int:
    """Rows of a file as its footer tells them."""
    with storage.open_read(file.path) as opened:
        return int(pq.read_metadata(opened).num_rows)


def imbalances(marks: Iterable[Mark]) -> Iterator[str]:
    """One line for each day and input whose events are not all accounted for."""
    by_day: dict[tuple[date, str], Books] = defaultdict(Books)
    for mark in marks:
        by_day[mark.day, mark.name.input].add_row(mark.row)
    for (day, source), books in sorted(by_day.items()):
        if books.events != books.accounted:
            yield (
                f"received_date={day} input={source}: {books.events} events came in, "
                f"{books.accounted} are accounted for"
            )


def differences(
    output: Output, marks: Iterable[Mark], input_digest: str | None = None,
    rows_of: Callable[[DataFile], int | None] = footer_rows, days: Sequence[date] | None = None,
) -> Iterator[str]:  # fmt: skip
    """One line for each file that does not hold what its ledger row says, or has none.

    Rows are those of `rows_of`, which gives None for a file that is left out; else those that Parquet footers tell.
    With an input, only its files are looked at; with days, only theirs. What is past its retention is to be gone; while
    a change is cut off in the middle it may be either. Rows of compacted files are those of the files that were.
    """
    expired, is_whole = read_expired(output), read_unfinished(output) is None
    expected = {(m.day, m.name): rows_left(m, expired) for m in marks}
    found: Rows = defaultdict(dict)
    days = days_of_input(output, input_digest) if days is None else days
    for file in output.listing().files(*DATA_DATASETS, days=days, of_input=input_digest):
        if not expired.covers(file.dataset, file.day, file.name.input):
            if (rows := rows_of(file)) is not None:
                found[file.day, file.name][file.dataset] = rows
        elif is_whole:
            yield f"{file.path}: is past its retention and was deleted before; run pipelines.expire to delete it again"
    yield from follow(Compacted(output), expired, Held(expected, found), input_digest, days)
    for key in sorted({*expected, *found}, key=lambda k: (k[0], str(k[1]))):
        day, name = key
        if key not in expected:
            yield f"received_date={day} {name}: files without a ledger row; {name.way_to_whole} to make it whole"
        elif found.get(key, {}) != expected[key]:
            yield f"received_date={day} {name}: ledger says rows {expected[key]}, files hold {found.get(key, {})}"


def rows_left(mark: Mark, expired: Expired) -> dict[str, int]:
    """Rows that the ledger tells of files which have not expired, by dataset."""
    rows = rows_in_files(mark.row)
    return {name: count for name, count in rows.items() if not expired.covers(name, mark.day, mark.name.input)}


def rows_in_files(row: Mapping[str, Any]) -> dict[str, int]:
    """How many rows of each dataset are in the files of a ledger row: those that landed, less those taken out since."""
    removed = dict(row.get("removed_rows") or ())
    left = {name: count - removed.get(name, 0) for name, count in (row["rows"] or ())}
    return {name: count for name, count in left.items() if count}


def removed_rows(marks: Iterable[Mark]) -> int:
    """How many rows were taken out of files after they had landed."""
    return sum(sum(dict(mark.row.get("removed_rows") or ()).values()) for mark in marks)


def expired_rows(output: Output, marks: Iterable[Mark]) -> int:
    """How many rows of which the ledger tells are gone, or were not written, because they are past their retention."""
    expired = read_expired(output)
    return sum(sum(rows_in_files(m.row).values()) - sum(rows_left(m, expired).values()) for m in marks)


def strangers(output: Output) -> Iterator[str]:
    """One line for each file below a dataset's days that is none of ours."""
    listing = output.listing()
    for dataset in (*DATA_DATASETS, LEDGER):
        for day in listing.days(dataset):
            for name in storage.list_files(output.partition(dataset, day)):
                if parse_name(name) is None:
                    yield f"{dataset}/received_date={day}/{name}: not a file of this system"
