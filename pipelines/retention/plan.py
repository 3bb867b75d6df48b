"""What an expiry would delete. Only looks, and looks at nothing but names, sizes and the ledger."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import groupby

import msgspec
import pyarrow as pa

from pipelines.changing.change import checksum_of
from pipelines.retention.age import last_expired_day, odd_and_past
from pipelines.retention.books import expired_books, expired_records
from schemas.registry import ACCEPTANCE, load
from transforms.core import storage
from transforms.core.output.compacted import Compacted
from transforms.core.output.expired import RECORD, Expired
from transforms.core.output.layout import DATA_DATASETS, LEDGER, Listing, Output, parse_name, path_in_output
from transforms.core.output.ledger import read_row, rows_in_files
from transforms.core.times import UNKNOWN_DATE

EXPIRING = (*DATA_DATASETS, ACCEPTANCE)
"""Datasets whose days expire one by one; what the ledger tells of a day goes after all of them."""

_MOST_NAMED = 5
_READERS = 8


class Deleted(msgspec.Struct):
    """How much of a dataset an expiry deletes, and of which days; rows as the ledger counts them, where it does."""

    first_day: date
    last_day: date
    files: int = 0
    size_bytes: int = 0
    rows: int = 0


class Expiry(msgspec.Struct):
    """What an expiry deletes: paths in the output, in the order in which they go, their sums, and what it notes."""

    as_of: date
    paths: list[str]
    datasets: dict[str, Deleted]
    expired: Expired


@dataclass(frozen=True)
class Going:
    """A file that goes, by its path in the output."""

    dataset: str
    day: date
    name: str
    size_bytes: int

    @property
    def path(self) -> str:
        """Where it lies in the output."""
        return path_in_output(self.dataset, self.day, self.name)


@dataclass
class Plan:
    """What is past its retention when the day `as_of` begins, in UTC."""

    as_of: date
    expired: Expired
    """The record as it is once all is deleted."""
    files: list[Going] = field(default_factory=list)
    books: list[str] = field(default_factory=list)
    """Paths of what is known of inputs of which nothing else is left, ledger rows last."""
    strange: list[str] = field(default_factory=list)
    """Files in expired days that are none of ours. They stay, and `verify` names them."""
    datasets: dict[str, Deleted] = field(default_factory=dict)

    @cached_property
    def checksum(self) -> str:
        """Stands for all that is deleted; of another day, another output or one that has changed it is another one."""
        through = sorted((name, day.isoformat()) for name, day in self.expired.through.items())
        told = [self.as_of.isoformat(), through, [(file.path, file.size_bytes) for file in self.files], self.books]
        return checksum_of(told)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is past its retention."""
        return not (self.files or self.books)

    @property
    def payload(self) -> Expiry:
        """What is known from the moment on at which the first file may be gone."""
        paths = [*(file.path for file in self.files), *self.books]
        return Expiry(self.as_of, paths, self.datasets, self.expired)

    def vouched(self, _: Output) -> Iterator[str]:
        """The record alone: what is deleted nobody vouches for."""
        yield RECORD

    @property
    def told(self) -> list[str]:
        """What would be deleted, a line for each dataset, and which files stay though they lie there."""
        size = f"{len(self.files) + len(self.books):,} files"
        lines = [f"to delete {size}, which are past their retention on {self.as_of}:"]
        if self.is_empty:
            lines = [f"nothing is past its retention on {self.as_of}"]
        lines += described(self.datasets)
        if self.books:
            lines.append(
                f"  ledger rows, lists and days of inputs of which nothing else is left: {len(self.books):,} files"
            )
        lines += [f"warning: {path} is not a file of this system and stays" for path in self.strange[:_MOST_NAMED]]
        if len(self.strange) > _MOST_NAMED:
            lines.append(f"warning: and {len(self.strange) - _MOST_NAMED} more such files stay")
        return lines


def plan_of(output: Output, before: Expired, as_of: date) -> Plan:
    """What an expiry on that day deletes; raises StorageUnavailable."""
    listing = output.listing()
    plan = Plan(as_of, Expired(through=through_of(before, as_of), inputs={*before.inputs}))
    for dataset, last in plan.expired.through.items():
        _add_days(plan, listing, dataset, last)
        if dataset != ACCEPTANCE:
            odd = odd_and_past(listing, dataset, last_expired_day(as_of, load(dataset).delete_after_days), as_of)
            for day, files in groupby(odd, key=lambda file: file.day):
                of_day = list(files)
                plan.expired.inputs |= {(dataset, day, file.name.input) for file in of_day}
                _add(plan, output, dataset, day, {str(file.name) for file in of_day})
    plan.books = [*expired_records(output, plan.expired.through), *expired_books(listing, plan.expired.through, as_of)]
    _count_rows(plan, output)
    return plan


def through_of(before: Expired, as_of: date) -> dict[str, date]:
    """The last expired day of each dataset by the contract; it never goes back."""
    found = {name: last_expired_day(as_of, load(name).delete_after_days) for name in EXPIRING}
    return {name: max(last, before.through.get(name, last)) for name, last in found.items()}


def _add_days(plan: Plan, listing: Listing, dataset: str, last: date) -> None:
    """All files of ours in the days up to the last one."""
    for day in listing.days(dataset, last=last):
        if day > UNKNOWN_DATE:
            _add(plan, listing.output, dataset, day, None)


def _add(plan: Plan, output: Output, dataset: str, day: date, names: set[str] | None) -> None:
    for name, size_bytes in storage.list_sizes(output.partition(dataset, day)).items():
        going = Going(dataset, day, name, size_bytes)
        is_ours = name == f"{ACCEPTANCE}.parquet" if dataset == ACCEPTANCE else parse_name(name) is not None
        if not is_ours:
            plan.strange += [going.path] if names is None else []
        elif names is None or name in names:
            plan.files.append(going)
            told = plan.datasets.setdefault(dataset, Deleted(day, day))
            told.first_day, told.last_day = min(told.first_day, day), max(told.last_day, day)
            told.files += 1
            told.size_bytes += size_bytes


def _count_rows(plan: Plan, output: Output) -> None:
    """Rows of what goes, from the ledger: a row of it for all files of a day that bear one name. Of a compacted file
    they stand in the record of its day.
    """
    places = sorted({(file.day, file.name) for file in plan.files if file.dataset != ACCEPTANCE})
    with ThreadPoolExecutor(1 if storage.is_local(output.path) else _READERS, "count") as readers:
        told = dict(zip(places, readers.map(lambda place: _rows(output, *place), places), strict=True))
    compacted = Compacted(output)
    for file in plan.files:
        record = compacted.of_day(file.day).get(file.dataset)
        rows = record.into if record else {}
        plan.datasets[file.dataset].rows += rows.get(
            file.name, told.get((file.day, file.name), {}).get(file.dataset, 0)
        )


def _rows(output: Output, day: date, name: str) -> dict[str, int]:
    """By dataset; nothing where there is no ledger row that can be read: what is old goes all the same."""
    path = storage.join(output.partition(LEDGER, day), name)
    try:
        row = read_row(path) if storage.exists(path) else None
    except (pa.ArrowException, OSError):
        return {}
    return rows_in_files(row) if row else {}


def described(datasets: dict[str, Deleted]) -> Iterator[str]:
    """A line for each dataset."""
    for name, told in sorted(datasets.items()):
        rows = "" if name == ACCEPTANCE else f", {told.rows:,} rows"
        kept = load(name).delete_after_days
        yield (
            f"  {name} (kept {kept} days): {told.first_day} to {told.last_day}, {told.files:,} files{rows}, "
            f"{told.size_bytes:,} bytes"
        )
