"""What is left of an input when its rows are gone: ledger rows, its list, its days. They go last, and together."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from pipelines.retention.age import are_past, last_expired_day, latest_days, tells_age
from schemas.registry import load
from transforms.core import storage
from transforms.core.output.compacted import Compacted, record_name
from transforms.core.output.input_days import days_of_input
from transforms.core.output.layout import (
    DATA_DATASETS,
    INPUTS_FOLDER,
    LEDGER,
    DataFile,
    Listing,
    Output,
    path_in_output,
)


def expired_books(listing: Listing, through: dict[str, date], as_of: date) -> Iterator[str]:
    """Paths in the output, ledger rows last, so that what a killed run left is found again by them.

    The ledger rows of one input or window go together: they add up only as a whole. They wait for every dataset's
    day. The latest day of a stream stays, whatever its age: it says where the stream is read on.
    """
    last = min(last_expired_day(as_of, load(LEDGER).delete_after_days), *through.values())
    if not any(day <= last or not tells_age(day, as_of) for day in listing.days(LEDGER)):
        return
    by_input: dict[str, list[DataFile]] = defaultdict(list)
    for file in listing.files(LEDGER):
        by_input[file.name.input].append(file)
    latest = latest_days(file for files in by_input.values() for file in files)
    for source, files in sorted(by_input.items()):
        stream = source.partition(".")[0]
        if are_past(files, last, as_of) and all(file.day != latest.get(stream) for file in files):
            yield from _of_input(listing, source)
            yield from (path_in_output(LEDGER, file.day, str(file.name)) for file in files)


def expired_records(output: Output, through: dict[str, date]) -> Iterator[str]:
    """Paths in the output of the records of compacted days of which every dataset has expired."""
    last = min(through[dataset] for dataset in DATA_DATASETS)
    yield from (record_name(day) for day in Compacted(output).days if day <= last)


def _of_input(listing: Listing, source: str) -> Iterator[str]:
    if storage.exists(listing.output.beside(INPUTS_FOLDER, f"{source}.json")):
        yield f"{INPUTS_FOLDER}/{source}.json"
    for day in days_of_input(listing.output, source) or ():
        yield f"{INPUTS_FOLDER}/{source}/{day.isoformat()}"
