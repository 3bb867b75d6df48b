"""What an erasure or a withdrawal would change. Only looks."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import msgspec
import numpy as np

from pipelines.changing.change import checksum_of
from schemas.registry import EVENT_DATASETS, SUGGESTIONS
from transforms.core.batches import QUARANTINE
from transforms.core.chains.vouched import mark_day_of
from transforms.core.curating.permitted import Ranked
from transforms.core.output.compacted import is_compacted, record_name
from transforms.core.output.erased import RECORD, Erased
from transforms.core.output.layout import LEDGER, DataFile, FileName, Output, path_in_output
from transforms.core.output.replayed import records_of_replays

COUNTED = (*EVENT_DATASETS, SUGGESTIONS)
"""Datasets whose rows published figures are made of."""


class Touched(msgspec.Struct):
    """A file that is written anew: rows before and after, and rows of the people that are changed or go."""

    dataset: str
    day: date
    input: str
    bucket: int
    buckets: int | None
    size_bytes: int
    rows_before: int
    rows_after: int
    rows_of_people: int

    def file(self, output: Output) -> DataFile:
        """Where it lies."""
        name = FileName(self.input, self.bucket, self.buckets)
        return DataFile(self.dataset, self.day, name, output.file(self.dataset, self.day, name))

    @property
    def path(self) -> str:
        """Its path in the output."""
        return path_in_output(self.dataset, self.day, str(FileName(self.input, self.bucket, self.buckets)))


class Removed(msgspec.Struct):
    """What a ledger row must say was taken out of the files of its name."""

    day: date
    name: str
    rows: dict[str, int]


class Erasure(msgspec.Struct):
    """What is needed to finish: the rules of this change, the files, the ledger rows, and how many people are meant."""

    rules: Erased
    files: list[Touched]
    ledger: list[Removed]
    people: int
    files_looked_at: int


@dataclass
class Plan:
    """The change as it was planned.

    `lines` are notes for people beside the counts, `keys_needed` private keys that are missing, and `unopened`
    quarantined payloads that nobody looked into.
    """

    job: str
    people: int
    files_looked_at: int
    rules: Erased
    files: list[Touched] = field(default_factory=list)
    ledger: list[Removed] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    keys_needed: list[str] = field(default_factory=list)
    unopened: int = 0
    meant: str = ""
    """Stands for who is meant and what each permits."""
    ranked: Mapping[str, Ranked] = field(default_factory=dict)
    """The people's rows by the path of the file, which the same process need not look for again."""

    @property
    def is_empty(self) -> bool:
        """Whether no file holds anything that must go."""
        return not self.files

    @cached_property
    def checksum(self) -> str:
        """Stands for who is meant and for all that would be changed."""
        files = sorted((f.path, f.size_bytes, f.rows_before, f.rows_after, f.rows_of_people) for f in self.files)
        return checksum_of([self.job, self.meant, files])

    @property
    def payload(self) -> Erasure:
        """What finishes it."""
        return Erasure(self.rules, self.files, self.ledger, self.people, self.files_looked_at)

    def vouched(self, output: Output) -> Iterator[str]:
        """The files, their ledger rows, the marks that vouch for such rows, and records that are written anew."""
        yield from (file.path for file in self.files)
        for row in self.ledger:
            yield from (path_in_output(LEDGER, day, row.name) for day in (row.day, mark_day_of(row.name)) if day)
        yield RECORD
        yield from {record_name(file.day) for file in self.files if is_compacted(file.file(output).name)}
        if any(file.dataset == QUARANTINE for file in self.files):
            yield from records_of_replays(output)

    @property
    def told(self) -> list[str]:
        """Counts by dataset, the days whose figures counted these rows, and what could not be looked into."""
        if self.is_empty:
            return [f"{self.people:,} people: nothing of theirs was found", *self.lines]
        rows = sum(f.rows_of_people for f in self.files)
        size = sum(f.size_bytes for f in self.files)
        head = f"{self.people:,} people: {rows:,} rows in {len(self.files):,} files of {size:,} bytes"
        return [head, *described(self.files), *_published(self.files), *self.lines]


def described(files: Sequence[Touched]) -> list[str]:
    """A line for each dataset."""
    lines = []
    for dataset in sorted({file.dataset for file in files}):
        own = [file for file in files if file.dataset == dataset]
        gone = sum(file.rows_before - file.rows_after for file in own)
        blanked = sum(file.rows_of_people for file in own) - gone
        changed = f", {blanked:,} lose values" if blanked else ""
        lines.append(
            f"  {dataset}: {min(f.day for f in own)} to {max(f.day for f in own)}, {len(own):,} files, "
            f"{gone:,} rows go{changed}"
        )
    return lines


def _published(files: Sequence[Touched]) -> list[str]:
    days = sorted({file.day for file in files if file.dataset in COUNTED})
    if not days:
        return []
    return [
        f"published figures (acceptance) of {len(days):,} days, {days[0]} to {days[-1]}, were made with these rows; "
        "they stay as they are: they hold no row of a person"
    ]


def ledger_of(files: Sequence[Touched], before: dict[tuple[date, str], dict[str, int]]) -> list[Removed]:
    """What the ledger rows of these files must say, with what they said before."""
    gone: dict[tuple[date, str], Counter[str]] = {}
    for file in files:
        name = str(FileName(file.input, file.bucket, file.buckets))
        gone.setdefault((file.day, name), Counter())[file.dataset] += file.rows_before - file.rows_after
    return [
        Removed(day, name, {d: before[day, name].get(d, 0) + count for d, count in sorted(rows.items())})
        for (day, name), rows in sorted(gone.items())
        if (day, name) in before
    ]


def touched(file: DataFile, size_bytes: int, rows_before: int, goes: np.ndarray, changed: int) -> Touched:
    """Of a file, with the rows (a mask) that go and how many more lose values."""
    gone = int(np.count_nonzero(goes))
    return Touched(
        file.dataset, file.day, file.name.input, file.name.bucket, file.name.buckets,
        size_bytes, rows_before, rows_before - gone, gone + changed,
    )  # fmt: skip
