"""What a compaction would put together. Only looks, at names, sizes, footers and the ledger."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import msgspec

from pipelines.changing.change import checksum_of
from pipelines.compaction.closed import Wholeness, last_closed_day
from schemas.errors import InvalidOptions
from schemas.registry import load
from transforms.core import storage
from transforms.core.keys.role_encryption import columns_by_role
from transforms.core.output.compacted import Compacted, Merged, compacted_names, is_compacted, record_name
from transforms.core.output.expired import read_expired
from transforms.core.output.layout import DATA_DATASETS, FileName, Listing, Output, path_in_output
from transforms.core.output.ledger import Mark, rows_left
from transforms.core.times import UNKNOWN_DATE

SEALED = tuple(name for name in DATA_DATASETS if columns_by_role(load(name)))
"""Datasets with columns that only a role's private key opens. Their files stay as they are: what is encrypted is bound
to its file, and who could put it into another one could read it."""

MERGED = tuple(name for name in DATA_DATASETS if name not in SEALED)

_MOST_NAMED = 5


class Merge(msgspec.Struct):
    """A dataset's day: the files that lie there, those that publishing once wrote, and those that come, in the order of
    their rows; each with how many it has.
    """

    day: date
    dataset: str
    before: dict[str, int]
    of: dict[str, int]
    into: dict[str, int]
    size_bytes: int

    def merged(self, *, is_over: bool) -> Merged:
        """The record of it; until it is over, the files that were may still be there."""
        return Merged(of=self.of, into=self.into, before={} if is_over else self.before)


@dataclass
class Plan:
    """What is put together, by day, and which days are left out for what reason."""

    through: date | None
    merges: list[Merge] = field(default_factory=list)
    left_out: dict[date, str] = field(default_factory=dict)
    where: str = ""
    sealed_files: int = 0

    @cached_property
    def checksum(self) -> str:
        """Stands for all that is put together; of another output, or one that has changed, it is another one."""
        return checksum_of(msgspec.to_builtins(self.merges))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to put together."""
        return not self.merges

    @property
    def payload(self) -> list[Merge]:
        """What is put together, day by day."""
        return self.merges

    def vouched(self, _: Output) -> Iterator[str]:
        """The files that are put together, and the records of their days."""
        for merge in self.merges:
            yield record_name(merge.day)
            yield from (path_in_output(merge.dataset, merge.day, name) for name in merge.before)

    @property
    def told(self) -> list[str]:
        """Lines for people: what would be put together, what stays, and what a reader may see meanwhile."""
        return [*self._told()]

    def _told(self) -> Iterator[str]:
        if self.through is None:
            yield "nothing is there yet"
            return
        if self.is_empty:
            yield f"nothing is to be compacted in days up to {self.through}"
        else:
            days = {merge.day for merge in self.merges}
            yield f"to compact {len(days):,} closed days up to {self.through}:"
            yield from _described(self.merges)
            yield self.where
        if self.sealed_files:
            yield f"  {', '.join(SEALED)}: {self.sealed_files:,} files stay, for their columns are encrypted"
        for day, why in sorted(self.left_out.items())[:_MOST_NAMED]:
            yield f"warning: {day} is left out: {why}"
        if (more := len(self.left_out) - _MOST_NAMED) > 0:
            yield f"warning: and {more} more days are left out"


def _described(merges: list[Merge]) -> Iterator[str]:
    for dataset in MERGED:
        of = [merge for merge in merges if merge.dataset == dataset]
        if of:
            before, into = sum(len(m.before) for m in of), sum(len(m.into) for m in of)
            rows, size_bytes = sum(sum(m.before.values()) for m in of), sum(m.size_bytes for m in of)
            yield f"  {dataset}: {before:,} files, {rows:,} rows, {size_bytes:,} bytes into {into:,} files"


_ON_DISK = "a reader sees a day's old files or its new ones; one that listed before and opens later does not find them"
_IN_STORE = (
    "this is an object store, which cannot change several files at once: while a day's old files are deleted, some "
    "seconds at most, a reader sees rows twice; none is missing at any moment"
)


def plan_of(output: Output, through: date | None, reach: timedelta, target_bytes: int) -> Plan:
    """What is to be put together in the closed days up to `through`, None: all of them.

    Raises InvalidOptions where that day is not closed, StorageUnavailable.
    """
    listing = output.listing()
    last = last_closed_day(listing, reach)
    if through is not None and (last is None or through > last):
        raise InvalidOptions(f"--through {through}: the last closed day of {output} is {last or 'none'}")
    plan = Plan(through or last, where=_ON_DISK if storage.is_local(output.path) else _IN_STORE)
    if plan.through is None:
        return plan
    whole = Wholeness(listing)
    first = UNKNOWN_DATE + timedelta(days=1)
    days = sorted({day for dataset in MERGED for day in listing.days(dataset, first, plan.through)})
    for day in days:
        if due := dict(_due(listing, day, target_bytes)):
            marks = whole.marks(day)
            if trouble := whole.trouble(day, marks):
                plan.left_out[day] = trouble
            else:
                plan.merges += _merges(listing, day, due, marks)
                plan.sealed_files += sum(len(listing.names(name, day)) for name in SEALED)
    return plan


def _due(listing: Listing, day: date, target_bytes: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """The datasets of a day whose files are more than are needed, with the number that is needed, and their bytes.

    Files of a compaction alone are never put together again, even if they have become smaller.
    """
    expired = read_expired(listing.output)
    for dataset in MERGED:
        names = listing.names(dataset, day)
        if all(is_compacted(name) for name in names) or expired.covers(dataset, day, ""):
            continue
        size_bytes = sum(storage.list_sizes(listing.output.partition(dataset, day)).values())
        if len(names) > (needed := -(-size_bytes // target_bytes)):
            yield dataset, (needed, size_bytes)


def _merges(listing: Listing, day: date, due: dict[str, tuple[int, int]], marks: list[Mark]) -> Iterator[Merge]:
    expired, records = read_expired(listing.output), Compacted(listing.output).of_day(day)
    told = {mark.name: rows_left(mark, expired) for mark in marks}
    for dataset, (parts, size_bytes) in due.items():
        record = records.get(dataset, Merged({}, {}))
        before = {str(name): _rows(name, dataset, told, record) for name in listing.names(dataset, day)}
        fresh = {str(name): told[name][dataset] for name in listing.names(dataset, day) if not is_compacted(name)}
        of = {**record.of, **fresh}
        into = _shared_out(sum(before.values()), map(str, compacted_names(dataset, day, of, parts)))
        yield Merge(day, dataset, before, of, into, size_bytes)


def _shared_out(rows: int, names: Iterable[str]) -> dict[str, int]:
    """So many rows in files of the same size, the last of which may have less; a file without rows is none."""
    all_names = [*names]
    most = -(-rows // len(all_names))
    found = {name: min(most, rows - number * most) for number, name in enumerate(all_names)}
    return {name: count for name, count in found.items() if count > 0}


def _rows(name: FileName, dataset: str, told: dict[FileName, dict[str, int]], record: Merged) -> int:
    return record.into[str(name)] if is_compacted(name) else told[name][dataset]
