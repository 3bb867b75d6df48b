"""What an expiry would delete. Only looks, and looks at nothing but names, sizes and the ledger."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import groupby

import pyarrow as pa

from pipelines.retention.age import last_expired_day, odd_and_past
from pipelines.retention.books import expired_books
from schemas.registry import ACCEPTANCE, load
from transforms.core import storage
from transforms.core.output.expired import Deleted, Expired, Pending
from transforms.core.output.layout import DATA_DATASETS, LEDGER, Listing, Output, parse_name, path_in_output
from transforms.core.output.ledger import read_row
from transforms.core.times import UNKNOWN_DATE

EXPIRING = (*DATA_DATASETS, ACCEPTANCE)
"""Datasets whose days expire one by one; what the ledger tells of a day goes after all of them."""

_READERS = 8


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
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]

    def begun(self) -> Expired:
        """The record from the moment on at which the first file may be gone."""
        paths = [*(file.path for file in self.files), *self.books]
        pending = Pending(self.checksum, self.as_of, paths, self.datasets)
        return Expired(through=self.expired.through, inputs=self.expired.inputs, pending=pending)


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
    plan.books = list(expired_books(listing, plan.expired.through, as_of))
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
    """Rows of what goes, from the ledger: a row of it for all files of a day that bear one name."""
    places = sorted({(file.day, file.name) for file in plan.files if file.dataset != ACCEPTANCE})
    with ThreadPoolExecutor(1 if storage.is_local(output.path) else _READERS, "count") as readers:
        told = dict(zip(places, readers.map(lambda place: _rows(output, *place), places), strict=True))
    for file in plan.files:
        plan.datasets[file.dataset].rows += told.get((file.day, file.name), {}).get(file.dataset, 0)


def _rows(output: Output, day: date, name: str) -> dict[str, int]:
    """By dataset; nothing where there is no ledger row that can be read: what is old goes all the same."""
    path = storage.join(output.partition(LEDGER, day), name)
    try:
        row = read_row(path) if storage.exists(path) else None
    except (pa.ArrowException, OSError):
        return {}
    return dict(row["rows"] or ()) if row else {}


def described(datasets: dict[str, Deleted]) -> Iterator[str]:
    """A line for each dataset."""
    for name, told in sorted(datasets.items()):
        rows = "" if name == ACCEPTANCE else f", {told.rows:,} rows"
        kept = load(name).delete_after_days
        yield (
            f"  {name} (kept {kept} days): {told.first_day} to {told.last_day}, {told.files:,} files{rows}, "
            f"{told.size_bytes:,} bytes"
        )
