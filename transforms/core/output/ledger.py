"""Reads the books of an output and says whether they balance."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.parquet as pq

from schemas.errors import StorageUnavailable
from transforms.core import storage
from transforms.core.output.books import Books
from transforms.core.output.expired import Expired, read_expired
from transforms.core.output.input_days import days_of_input
from transforms.core.output.layout import DATA_DATASETS, LEDGER, DataFile, FileName, Listing, Output, parse_name
from transforms.core.shuffle.windows import mark_day, window_end_s


@dataclass(frozen=True)
class Mark:
    """One ledger row and where it stands."""

    day: date
    name: FileName
    row: dict[str, Any]


def read_marks(output: Output, input_digest: str | None = None) -> list[Mark]:
    """Every ledger row of an output, or of one input of it."""
    marks = []
    for file in output.listing().files(LEDGER, days=days_of_input(output, input_digest), of_input=input_digest):
        if (row := read_row(file.path)) is not None:
            marks.append(Mark(file.day, file.name, row))
    return marks


def read_row(path: str) -> dict[str, Any] | None:
    """A ledger row; None where it is gone since it was listed: a quiet span of the endless job has grown."""
    try:
        with storage.open_read(path) as file:
            row: dict[str, Any] = pq.ParquetFile(file).read().to_pylist()[0]
            return row
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


def differences(output: Output, marks: Iterable[Mark], input_digest: str | None = None) -> Iterator[str]:
    """One line for each file that does not hold what its ledger row says, or has none.

    Rows are counted from Parquet footers. With an input, only its files are looked at. What is past its retention is
    to be gone; while an expiry is cut off in the middle it may be either.
    """
    expired = read_expired(output)
    expected = {(m.day, m.name): _kept(m, expired) for m in marks}
    found: dict[tuple[date, FileName], dict[str, int]] = defaultdict(dict)
    days = days_of_input(output, input_digest)
    for file in output.listing().files(*DATA_DATASETS, days=days, of_input=input_digest):
        if not expired.covers(file.dataset, file.day, file.name.input):
            found[file.day, file.name][file.dataset] = _footer_rows(file.path)
        elif expired.pending is None:
            yield f"{file.path}: is past its retention and was deleted before; run pipelines.expire to delete it again"
    for key in sorted({*expected, *found}, key=lambda k: (k[0], str(k[1]))):
        day, name = key
        if key not in expected:
            yield f"received_date={day} {name}: files without a ledger row; run that input again to make it whole"
        elif found.get(key, {}) != expected[key]:
            yield f"received_date={day} {name}: ledger says rows {expected[key]}, files hold {found.get(key, {})}"


def _kept(mark: Mark, expired: Expired) -> dict[str, int]:
    """Rows that the ledger tells of files which have not expired, by dataset."""
    rows = dict(mark.row["rows"] or ())
    return {name: count for name, count in rows.items() if not expired.covers(name, mark.day, mark.name.input)}


def expired_rows(output: Output, marks: Iterable[Mark]) -> int:
    """How many rows of which the ledger tells are gone, or were not written, because they are past their retention."""
    expired = read_expired(output)
    return sum(sum(dict(m.row["rows"] or ()).values()) - sum(_kept(m, expired).values()) for m in marks)


def _footer_rows(path: str) -> int:
    with storage.open_read(path) as file:
        return int(pq.read_metadata(file).num_rows)


def strangers(output: Output) -> Iterator[str]:
    """One line for each file below a dataset's days that is none of ours."""
    listing = output.listing()
    for dataset in (*DATA_DATASETS, LEDGER):
        for day in listing.days(dataset):
            for name in storage.list_files(output.partition(dataset, day)):
                if parse_name(name) is None:
                    yield f"{dataset}/received_date={day}/{name}: not a file of this system"
