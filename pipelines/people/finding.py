"""Which files hold rows of people, and which rows. Of files that may hold some, only the columns of ids are read."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.people.known_as import NOBODY, KnownAs, Lookup
from transforms.core import storage
from transforms.core.batches import QUARANTINE
from transforms.core.curating.permitted import PERSON_COLUMNS, loose_keys, session_keys
from transforms.core.output.layout import DATA_DATASETS, DataFile, FileName, Listing
from transforms.core.output.output_facts import slots_of

PERSONS_DATASETS = tuple(name for name in DATA_DATASETS if name != QUARANTINE)
"""Datasets whose rows name people; of quarantine see `quarantined`."""

_PROPERTIES = "properties"
_RECEIVED = ("received_at", "last_received_at")
_READERS = 8

_ROWS_AT_ONCE = 64 * 1024
"""Rows of files of a dataset that are looked up together. File by file, 1,091 files of 350 rows took 3.0 s, and two
thirds of it were calls that cost the same however few the rows are."""


class FoundRows(NamedTuple):
    """Rows of people in a file: their numbers in its order, the person of each, how many rows the file has, and the
    latest receive time of any of these, in microseconds since 1970.
    """

    file: DataFile
    rows: np.ndarray
    persons: np.ndarray
    of_rows: int
    latest_us: int


@dataclass
class Found:
    """All rows of people. `sessions` are keys of sessions that their rows name -> person, as `session_keys` makes them.

    A row that names a session and no user is of the person whose other rows name that session, on the same
    installation where it names one.
    """

    files: list[FoundRows] = field(default_factory=list)
    sessions: dict[str, int] = field(default_factory=dict)
    files_read: int = 0

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(len(found.rows) for found in self.files)


class _Loose(NamedTuple):
    """Rows of a file that name a session and no user, their keys, and what was found there already."""

    found: FoundRows
    rows: np.ndarray
    sessions: pa.Array


class _Read(NamedTuple):
    """What of a file is looked up."""

    file: DataFile
    table: pa.Table


def find_people(listing: Listing, known: KnownAs, datasets: Sequence[str] = PERSONS_DATASETS) -> Found:
    """Looks through all days. What is written meanwhile is not seen. Raises StorageUnavailable."""
    slots = known.slots(slots_of(listing.output) or 1)
    result, loose = Found(), list[_Loose]()
    for dataset in datasets:
        for files in _portions(_read_ahead(listing.files(dataset), slots, storage.is_local(listing.output.path))):
            of_files, sessions_of_files = _look(files, known)
            result.files_read += len(files)
            loose += of_files
            result.sessions |= sessions_of_files
    sessions = Lookup(result.sessions)
    result.files = [found for each in loose if len((found := _with_sessions(each, sessions)).rows)]
    return result


def _read_ahead(files: Iterable[DataFile], slots: frozenset[int] | None, is_local: bool) -> Iterator[_Read]:
    """The files that may hold people, in order. As many are read at once as there are cores, more in object stores."""
    waiting, at_once = deque[Future[_Read | None]](), (os.cpu_count() or 1) if is_local else _READERS
    with ThreadPoolExecutor(at_once, "find") as readers:
        for file in files:
            waiting.append(readers.submit(_read, file, slots))
            if len(waiting) > at_once and (read := waiting.popleft().result()) is not None:
                yield read
        yield from (read for each in waiting if (read := each.result()) is not None)


def _read(file: DataFile, slots: frozenset[int] | None) -> _Read | None:
    """The columns of a file that are looked up; None where it can hold nobody of the people."""
    with storage.open_read(file.path) as opened:
        reader = pq.ParquetFile(opened)
        there = reader.schema_arrow.names
        if slots is not None and not _may_hold(file.name, slots) and _all_have_installations(reader, there):
            return None
        names = [name for name in (*PERSON_COLUMNS, _PROPERTIES, *_RECEIVED) if name in there]
        table = reader.read(columns=names, use_threads=False)
    return _Read(file, table) if table.num_rows else None


def _portions(read: Iterable[_Read]) -> Iterator[list[_Read]]:
    """Files together, up to _ROWS_AT_ONCE rows or one file that has more."""
    portion, rows = list[_Read](), 0
    for each in read:
        if portion and rows + each.table.num_rows > _ROWS_AT_ONCE:
            yield portion
            portion, rows = [], 0
        portion.append(each)
        rows += each.table.num_rows
    if portion:
        yield portion


def _look(files: Sequence[_Read], known: KnownAs) -> tuple[list[_Loose], dict[str, int]]:
    """What files hold of them by themselves, and the sessions of those rows."""
    table = pa.concat_tables([each.table for each in files], promote_options="default").combine_chunks()
    persons = persons_of(table, known)
    is_theirs = persons != NOBODY
    sessions = _sessions(table.filter(pa.array(is_theirs)), persons[is_theirs])
    persons = _with_properties(table, known, persons)
    keys = loose_keys(table)
    is_loose = np.asarray(keys.is_valid()) & (persons == NOBODY)
    received_us = _received_us(table)
    found, start = list[_Loose](), 0
    for file, of_file in files:
        own = slice(start, start := start + of_file.num_rows)
        rows, loose = np.flatnonzero(persons[own] != NOBODY), np.flatnonzero(is_loose[own])
        of_rows = FoundRows(file, rows, persons[own][rows], of_file.num_rows, int(received_us[own].max()))
        found.append(_Loose(of_rows, loose, keys.take(pa.array(own.start + loose))))
    return found, sessions


def _may_hold(name: FileName, slots: Iterable[int]) -> bool:
    return any(name.bucket == (slot if name.buckets is None else slot % name.buckets) for slot in slots)


def _all_have_installations(reader: pq.ParquetFile, names: Sequence[str]) -> bool:
    """Whether the footer says that every row names an installation, so that none is found by its session."""
    place = names.index("installation_id")
    for number in range(reader.metadata.num_row_groups):
        statistics = reader.metadata.row_group(number).column(place).statistics
        if statistics is None or not statistics.has_null_count or statistics.null_count:
            return False
    return True


def persons_of(table: pa.Table, known: KnownAs) -> np.ndarray:
    """The person of each row by its own columns of ids: installation, session, user."""
    persons = np.full(table.num_rows, NOBODY, dtype=np.int64)
    for column, domain in reversed(PERSON_COLUMNS.items()):
        if column in table.column_names and len(known.by_domain[domain]):
            own = known.by_domain[domain].of(table[column])
            persons = np.where(own != NOBODY, own, persons)
    return persons


def _with_properties(table: pa.Table, known: KnownAs, persons: np.ndarray) -> np.ndarray:
    """The same with rows that name a person in a property alone. Such a row may be another person's, so that its
    session tells nothing.
    """
    if _PROPERTIES in table.column_names:
        for row, person in _in_properties(table[_PROPERTIES], known.in_properties):
            persons[row] = person if persons[row] == NOBODY else persons[row]
    return persons


def _received_us(table: pa.Table) -> np.ndarray:
    """The receive time of each row, in microseconds since 1970."""
    (name,) = (name for name in _RECEIVED if name in table.column_names)
    return np.asarray(table[name].cast(pa.int64()).fill_null(0))


def _in_properties(maps: pa.ChunkedArray, lookup: Lookup) -> Iterator[tuple[int, int]]:
    """Rows one of whose properties is an id of a person, or its pseudonym."""
    start = 0
    for chunk in maps.chunks:
        offsets = chunk.offsets.to_numpy()
        values = chunk.items.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
        rows = np.repeat(np.arange(len(chunk)), np.diff(offsets))
        persons = lookup.of(values)
        for place in np.flatnonzero(persons != NOBODY):
            yield start + int(rows[place]), int(persons[place])
        start += len(chunk)


def _sessions(theirs: pa.Table, persons: np.ndarray) -> dict[str, int]:
    """The keys of sessions of these rows; also as rows name them that name the session alone."""
    whole = session_keys(theirs)
    keys = [*zip(whole.to_pylist(), persons.tolist(), strict=True)]
    alone = {f"{key.partition('/')[0]}/": person for key, person in keys if key is not None}
    return alone | {key: person for key, person in keys if key is not None}


def _with_sessions(loose: _Loose, sessions: Lookup) -> FoundRows:
    found = loose.found
    persons = sessions.of(loose.sessions) if len(sessions) else np.full(len(loose.rows), NOBODY)
    theirs = persons != NOBODY
    if not theirs.any():
        return found
    rows, all_persons = np.append(found.rows, loose.rows[theirs]), np.append(found.persons, persons[theirs])
    order = np.argsort(rows)
    return found._replace(rows=rows[order], persons=all_persons[order])
