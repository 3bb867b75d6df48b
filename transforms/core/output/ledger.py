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
from transforms.core.output.layout import (
    DATA_DATASETS,
    LEDGER,
    FileName,
    Listing,
    days_with_files,
    file_path,
    parse_name,
    partition,
)
from transforms.core.shuffle.windows import mark_day, window_end_s


@dataclass(frozen=True)
class Mark:
    """One ledger row and where it stands."""

    day: date
    name: FileName
    row: dict[str, Any]


def read_marks(output: str, input_digest: str | None = None) -> list[Mark]:
    """Every ledger row of an output, or of one input of it."""
    listing = Listing(output)
    marks = []
    for day in days_with_files(output, LEDGER):
        for name in listing.files(LEDGER, day):
            if input_digest in (None, name.input):
                path = file_path(output, LEDGER, day, name)
                if (row := read_row(path)) is not None:
                    marks.append(Mark(day, name, row))
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


def mark_names(
    stream: str, listing: Listing, days: Iterable[date], after_s: int
) -> Iterator[tuple[date, FileName, int]]:
    """Day, name and end of each mark of a stream's later windows: of a window's ledger rows one is its mark."""
    for day in days:
        for name in listing.files(LEDGER, day):
            end_s = window_end_s(name.input, stream)
            if end_s is not None and end_s > after_s and mark_day(end_s) == day:
                yield day, name, end_s


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


def differences(output: str, marks: Iterable[Mark], input_digest: str | None = None) -> Iterator[str]:
    """One line for each file that does not hold what its ledger row says, or has none.

    Rows are counted from Parquet footers. With an input, only its files are looked at.
    """
    listing = Listing(output)
    expected = {(m.day, m.name): dict(m.row["rows"] or ()) for m in marks}
    found: dict[tuple[date, FileName], dict[str, int]] = defaultdict(dict)
    for dataset in DATA_DATASETS:
        for day in days_with_files(output, dataset):
            for name in listing.files(dataset, day):
                if input_digest in (None, name.input):
                    found[day, name][dataset] = _footer_rows(output, dataset, day, name)
    for key in sorted({*expected, *found}, key=lambda k: (k[0], str(k[1]))):
        day, name = key
        if key not in expected:
            yield f"received_date={day} {name}: files without a ledger row; run that input again to make it whole"
        elif found.get(key, {}) != expected[key]:
            yield f"received_date={day} {name}: ledger says rows {expected[key]}, files hold {found.get(key, {})}"


def _footer_rows(output: str, dataset: str, day: date, name: FileName) -> int:
    with storage.open_read(file_path(output, dataset, day, name)) as file:
        return int(pq.read_metadata(file).num_rows)


def strangers(output: str) -> Iterator[str]:
    """One line for each file below a dataset's days that is none of ours."""
    for dataset in (*DATA_DATASETS, LEDGER):
        for day in days_with_files(output, dataset):
            for name in storage.list_files(partition(output, dataset, day)):
                if parse_name(name) is None:
                    yield f"{dataset}/received_date={day}/{name}: not a file of this system"
