"""Which files of a day were put together into which: `_compacted/<received_date>.json`, one for each compacted day.

The ledger keeps its rows, a row for each file that was. Whoever compares files with it follows this record, and whoever
publishes an input again leaves its compacted days alone: they were whole, and their rows stand in files of several
inputs. The record holds names of files and counts, and no row.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.output.expired import Expired
from transforms.core.output.layout import COMPACTED_FOLDER, FileName, Output, parse_name
from transforms.core.output.records import read_record

_SUFFIX = ".json"
_VERSION = 1
_PREFIX = "compacted-"
"""Of what stands for the input in the name of a compacted file. Digests of inputs and streams are hexadecimal, so none
begins like it; and without a dot it is taken for no window."""


class Merged(msgspec.Struct):
    """What became of one dataset's files of a day; all are names of files with the rows in them.

    `of` are those that publishing wrote, with the rows that they had when they were put together. `into` are those
    that hold these rows now; rows that were erased since are not counted. `before` are those that lay there when the
    last compaction began; it is empty once they are gone.
    """

    of: dict[str, int]
    into: dict[str, int]
    before: dict[str, int] = {}

    @property
    def inputs(self) -> set[str]:
        """Inputs and windows whose rows are in these files."""
        return {name.input for name in map(parse_name, self.of) if name is not None}


class _Day(msgspec.Struct):
    datasets: dict[str, Merged]
    version: int = _VERSION


class Compacted:
    """The records of an output; asks the storage once for their list, and once for each day that is asked for."""

    def __init__(self, output: Output) -> None:
        self._output = output
        names = storage.list_files(output.beside(COMPACTED_FOLDER))
        self.days = sorted(date.fromisoformat(name.removesuffix(_SUFFIX)) for name in names if name.endswith(_SUFFIX))
        self._read: dict[date, dict[str, Merged]] = {}

    def of_day(self, day: date) -> dict[str, Merged]:
        """By dataset; empty where the day is not compacted. Raises StorageRefused where the record is damaged."""
        if day not in self.days:
            return {}
        if day not in self._read:
            self._read[day] = _load(self._output, day)
        return self._read[day]

    def holds(self, day: date, of_input: str) -> bool:
        """Whether rows of an input or a window stand in compacted files of the day."""
        return any(of_input in merged.inputs for merged in self.of_day(day).values())

    def check_buckets(self, digest: str, days: Iterable[date], buckets: int) -> None:
        """Raises InvalidOptions where an input was published in another number of buckets into a day that is compacted.

        Its other days would then have ledger rows that do not add up with those of the compacted ones.
        """
        for name in (n for day in days for merged in self.of_day(day).values() for n in map(parse_name, merged.of)):
            if name is not None and name.input == digest and name.buckets not in (None, buckets):
                raise InvalidOptions(
                    f"--buckets {buckets}: days of this input are compacted, and it was read with {name.buckets}; "
                    "leave the flag out"
                )


def _load(output: Output, day: date) -> dict[str, Merged]:
    return read_record(output.beside(record_name(day)), _Day, _VERSION).datasets


def save_day(output: Output, day: date, datasets: dict[str, Merged]) -> None:
    """Writes the record of a day over an earlier one; the caller holds the claim."""
    data = msgspec.json.encode(_Day(datasets), order="sorted")
    output.write(output.beside(record_name(day)), msgspec.json.format(data, indent=1) + b"\n")


def record_name(day: date) -> str:
    """The path in an output of the record of a day."""
    return storage.join(COMPACTED_FOLDER, f"{day.isoformat()}{_SUFFIX}")


def set_rows(output: Output, day: date, dataset: str, name: FileName, rows: int) -> None:
    """Notes how many rows a compacted file holds now, after some were erased; 0 where it is gone.

    To be called by the holder of the claim; as often as one likes, it changes nothing the second time.
    """
    datasets = _load(output, day)
    datasets[dataset].into[str(name)] = rows
    save_day(output, day, datasets)


def is_compacted(name: FileName) -> bool:
    """Whether a file holds rows that a compaction put together."""
    return name.input.startswith(_PREFIX)


def compacted_names(dataset: str, day: date, of: Iterable[str], parts: int) -> list[FileName]:
    """The names of the files into which these are put together: a function of what publishing wrote, whatever
    compactions came before. In each of them anybody's rows may be.
    """
    told = "\n".join([dataset, day.isoformat(), str(parts), *sorted(of)])
    digest = blake2b(told.encode(), digest_size=8).hexdigest()
    return [FileName(f"{_PREFIX}{digest}-{part}", 0, 1) for part in range(parts)]


Rows = dict[tuple[date, FileName], dict[str, int]]
"""Day and name of files -> dataset -> rows."""


class Held(NamedTuple):
    """Rows as the ledger expects them, and as files hold them."""

    expected: Rows
    found: Rows


def follow(
    compacted: Compacted, expired: Expired, held: Held, of_input: str | None, days: Iterable[date] | None
) -> Iterator[str]:
    """Takes out what the records account for; one line for each place where a record does not agree.

    What was never compacted is left. Of one input, nothing is said of the files that hold its rows now. While a
    compaction is cut off, the files that were or those that come may be there.
    """
    for day in compacted.days if days is None else [day for day in days if day in compacted.days]:
        for dataset, merged in compacted.of_day(day).items():
            if not expired.covers(dataset, day, _PREFIX):
                names = [n for n in map(parse_name, merged.of) if n is not None and of_input in (None, n.input)]
                yield from _told_otherwise(held, day, dataset, merged, names)
                if of_input is None:
                    yield from _held_otherwise(held, day, dataset, merged)


def _told_otherwise(held: Held, day: date, dataset: str, merged: Merged, names: Iterable[FileName]) -> Iterator[str]:
    for name in names:
        told = held.expected.get((day, name), {}).pop(dataset, 0)
        if told != (rows := merged.of[str(name)]):
            yield f"{dataset}/received_date={day}/{name}: was compacted with {rows} rows, the ledger says {told}"


def _held_otherwise(held: Held, day: date, dataset: str, merged: Merged) -> Iterator[str]:
    files = {name: _taken(held.found, day, name, dataset) for name in {*merged.into, *merged.before}}
    if not any(known and known.items() <= files.items() for known in (merged.into, merged.before)):
        there = {name: files[name] for name in merged.into}
        yield f"{dataset}/received_date={day}: was compacted into rows {merged.into}, files hold {there}"


def _taken(found: Rows, day: date, text: str, dataset: str) -> int:
    """The rows of a file, taken out of what was found."""
    name = parse_name(text)
    if name is None or (day, name) not in found:
        return 0
    rows = found[day, name].pop(dataset, 0)
    if not found[day, name]:
        del found[day, name]
    return rows
