"""What is left of rows by the record of what people no longer permit."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import FORMER, LEVELS, PERMITTED, SUGGESTIONS, load
from transforms.core.batches import COUNTS, QUARANTINE, Tally
from transforms.core.keys.pseudonym_columns import hex_column
from transforms.core.keys.pseudonyms import Pseudonymizer
from transforms.core.output.erased import LOOSE, PAYLOAD, PROPERTY, Erased, digests_of
from transforms.core.output.layout import LANDING_DATASETS
from transforms.core.times import days_of

PERSON_COLUMNS = {"installation_id": "installation", "session_id": "session", "user_id": "user"}
"""Columns by which a person is found, and the domain of each."""

_ALL = PERMITTED["all"]
_SNIPPET = LEVELS.index("snippet")
_OF_BODY = ("body", "body_key_id")
_MAP_COLUMNS = ("properties",)
_HAS_SNIPPET = "has_snippet"

_MOST_REMEMBERED = 50_000
"""Ids of each kind. A day's people stand in every dataset: of 338,000 look-ups of an erasure most were for ids that had
been looked up before, and took a fifth of its time."""


class Left(NamedTuple):
    """The rows that stay, less what is not permitted. Masks of all rows: which go, which of them because nothing at all
    is permitted, and which stay and lose values.
    """

    table: pa.Table
    goes: np.ndarray
    is_erased: np.ndarray
    loses: np.ndarray


class Ranked(NamedTuple):
    """Rows of people by their numbers in a file: of each the highest level that is left, as an index in LEVELS, and
    whether code is.
    """

    rows: np.ndarray
    ranks: np.ndarray
    may_have_code: np.ndarray


class Permitted:
    """Looks rows up in a record. Its key comes from the ring; made in `setup` and never pickled."""

    def __init__(self, record: Erased, key: bytes) -> None:
        self._record = record
        self._pseudonymizer = Pseudonymizer(key)
        self._known: dict[str, dict[str, list[int]]] = {}

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("keys are opened in setup and never pickled")

    def __bool__(self) -> bool:
        return bool(self._record.digests)

    def left(self, dataset: str, table: pa.Table) -> Left:
        """What of a dataset's rows may stay. Pseudonyms are 16 bytes or 32 hex digits; columns may be missing."""
        ranks, may_have_code = self.of_rows(dataset, table)
        return left_by(dataset, table, ranks, may_have_code)

    def of_rows(self, dataset: str, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """For each row the highest level that is left, as an index in LEVELS, and whether code is."""
        ranks = np.full(table.num_rows, _ALL, dtype=np.int64)
        may_have_code = np.ones(table.num_rows, dtype=bool)
        if not self or not table.num_rows:
            return ranks, may_have_code
        received_us = table["received_at" if dataset != SUGGESTIONS else "last_received_at"]
        times_us = received_us.cast(pa.int64()).fill_null(0).to_numpy()
        for rows, numbers in self._matches(dataset, table):
            for number in numbers:
                rule = self._record.rules[number]
                within = rows[times_us[rows] < rule.before_us]
                ranks[within] = np.minimum(ranks[within], rule.rank)
                may_have_code[within] &= rule.snippet_consent
        return ranks, may_have_code

    def _matches(self, dataset: str, table: pa.Table) -> list[tuple[np.ndarray, list[int]]]:
        """Rows, by their numbers, and the numbers of the rules that hold for them."""
        if dataset == QUARANTINE:
            return self._in_column(table["payload_id"], PAYLOAD)
        found = []
        for name, domain in PERSON_COLUMNS.items():
            if name in table.column_names:
                found += self._in_column(table[name], domain)
        found += self._in_column(pa.chunked_array([loose_keys(table)]), LOOSE)
        for name in _MAP_COLUMNS:
            if name in table.column_names:
                found += self._in_maps(table[name])
        return found

    def _in_column(self, column: pa.ChunkedArray, kind: str) -> list[tuple[np.ndarray, list[int]]]:
        coded = pc.dictionary_encode(column).combine_chunks()
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.chunk(0) if coded.num_chunks else pa.array([], column.type).dictionary_encode()
        codes = coded.indices.fill_null(-1).to_numpy()
        texts = [text.hex() if isinstance(text, bytes) else text for text in coded.dictionary.to_pylist()]
        known = self._rules_of(kind, texts)
        hits = [(code, known[text]) for code, text in enumerate(texts) if known[text]]
        return [(np.flatnonzero(codes == code), numbers) for code, numbers in hits]

    def _rules_of(self, kind: str, texts: list[str]) -> dict[str, list[int]]:
        """The numbers of the rules for at least these ids; in memory as long as there are not too many."""
        known = self._known.setdefault(kind, {})
        if len(known) > _MOST_REMEMBERED:
            known.clear()
        fresh = [text for text in texts if text not in known]
        digests = digests_of(self._pseudonymizer, kind, fresh)
        known |= {text: self._record.digests.get(digest, []) for text, digest in zip(fresh, digests, strict=True)}
        return known

    def _in_maps(self, maps: pa.ChunkedArray) -> list[tuple[np.ndarray, list[int]]]:
        """By any value of a row's map."""
        found, start = [], 0
        for chunk in maps.chunks:
            offsets = chunk.offsets.to_numpy()
            values = chunk.items.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
            rows = start + np.repeat(np.arange(len(chunk)), np.diff(offsets))
            found += [(rows[places], n) for places, n in self._in_column(pa.chunked_array([values]), PROPERTY)]
            start += len(chunk)
        return found


def left_of_ranked(dataset: str, table: pa.Table, ranked: Ranked) -> Left:
    """What of a file's rows stays, where these are the only ones of which anything goes."""
    ranks = np.full(table.num_rows, _ALL, dtype=np.int64)
    may_have_code = np.ones(table.num_rows, dtype=bool)
    ranks[ranked.rows], may_have_code[ranked.rows] = ranked.ranks, ranked.may_have_code
    return left_by(dataset, table, ranks, may_have_code)


def left_by(dataset: str, table: pa.Table, ranks: np.ndarray, may_have_code: np.ndarray) -> Left:
    """What of rows stays, where the levels and consents of their people are these."""
    goes = rows_that_go(dataset, ranks, may_have_code)
    loses = np.zeros(table.num_rows, dtype=bool)
    is_less = ((ranks < _ALL) | ~may_have_code) & ~goes
    for name, is_lost in _losses(dataset, table, ranks, may_have_code) if is_less.any() else ():
        held = table[name] if name == _HAS_SNIPPET else table[name].is_valid()
        of_column = is_lost & ~goes & np.asarray(held)
        if of_column.any():
            loses |= of_column
            index = table.column_names.index(name)
            field = table.schema.field(index)
            value = pa.scalar(False if name == _HAS_SNIPPET else None, field.type)
            table = table.set_column(index, field, pc.if_else(pa.array(of_column), value, table[name]))
    kept = table.filter(pa.array(~goes)) if goes.any() else table
    return Left(kept, goes, goes & (ranks == 0), loses)


def rows_that_go(dataset: str, ranks: np.ndarray, may_have_code: np.ndarray) -> np.ndarray:
    """Which rows (a mask) need more than is left: as when an event with that level comes in."""
    needed = LEVELS.index(load(dataset).level)
    goes = (ranks == 0) | (ranks < min(needed, _SNIPPET - 1))
    return goes | ~may_have_code if needed == _SNIPPET else goes


def _losses(
    dataset: str, table: pa.Table, ranks: np.ndarray, may_have_code: np.ndarray
) -> list[tuple[str, np.ndarray]]:
    """The columns that lose values, and in which rows."""
    has_code = may_have_code & (ranks >= _ALL)
    if dataset == QUARANTINE:
        return [(name, ~has_code) for name in _OF_BODY if name in table.column_names]
    lost: list[tuple[str, np.ndarray]] = []
    columns = frozenset(table.column_names)
    for field in load(dataset).fields:
        if field.name not in columns or field.required:
            continue
        needed = LEVELS.index(field.level)
        is_lost = ~has_code if needed == _SNIPPET else ranks < needed
        lost.append((field.name, is_lost))
        if (former := FORMER.get(field.name, "")) in columns:  # the same id as it was in the month before
            lost.append((former, is_lost))
    if dataset == SUGGESTIONS and _HAS_SNIPPET in columns:
        lost.append((_HAS_SNIPPET, ~has_code))
    return lost


def only_permitted(tables: Mapping[str, pa.Table], permitted: Permitted) -> Mapping[str, pa.Table]:
    """All tables of a portion, by kind, with what is left of the rows that came in.

    Events that go are counted as withheld, those of people who permit nothing as `erased`, others as `withdrawn`.
    """
    if not permitted:
        return tables
    left, counts = dict(tables), Tally()
    for dataset in LANDING_DATASETS:
        if dataset in tables:
            table = tables[dataset].combine_chunks()
            of_dataset = permitted.left(dataset, table)
            _count(counts, table, of_dataset)
            left[dataset] = of_dataset.table
            if not of_dataset.table.num_rows:
                del left[dataset]
    counted = counts.batch()
    if counted is not None:
        parts = [tables[COUNTS]] if COUNTS in tables else []
        left[COUNTS] = pa.concat_tables([*parts, pa.Table.from_batches([counted.batch])])
    return left


def _count(counts: Tally, table: pa.Table, left: Left) -> None:
    days, is_primary = days_of(table["received_at"]), np.asarray(table["is_primary"])
    for key, rows in (("erased", left.is_erased), ("withdrawn", left.goes & ~left.is_erased)):
        found = np.unique(days[rows & is_primary], return_counts=True)
        for day, count in zip(*found, strict=True):
            counts.add(int(day), "withheld", key, int(count))


def session_keys(table: pa.Table) -> pa.Array:
    """What a row's session is known by, with its installation where it names one; null where it names no session."""
    sessions, installations = (_hex_texts(table[name]) for name in ("session_id", "installation_id"))
    return pc.binary_join_element_wise(sessions, installations.fill_null(""), "/")


def loose_keys(table: pa.Table) -> pa.Array:
    """The same of rows that name no user, as all of a dataset that has no column of users; null of others."""
    keys = session_keys(table)
    if "user_id" not in table.column_names:
        return keys
    return pc.if_else(_flat(table["user_id"]).is_null(), keys, None)


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _hex_texts(column: pa.ChunkedArray) -> pa.Array:
    plain = _flat(column)
    return plain if pa.types.is_string(plain.type) else hex_column(plain)
