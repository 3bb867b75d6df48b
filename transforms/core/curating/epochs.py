"""Which month's key the rows of a suggestion bear that lives over the end of a month.

A suggestion takes the month of its first fact, and its request with it. So a row that is received within the first day
of a month lands under the month before, with its person's ids as they were then, where its suggestion began in that
month, or where it names a request or an opportunity of it. That is looked at in the order of receipt: a row follows
rows that were received at most one horizon before it, or with it, and rows may follow it in turn. What comes later
changes nothing, so it does not matter how the input was cut.

Joins and duplicates do not depend on it: in memory ids have one key for good.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import FORMER, load
from transforms.core.keys.pseudonym_columns import hex_column
from transforms.core.recent.near_ids import ID_COLUMNS, NearIds, ids_of, together
from transforms.core.recent.recent import Recent
from transforms.core.suggestions.facts import micros
from transforms.core.suggestions.life_ids import life_ids
from transforms.core.suggestions.rows import FACTS

_MOST_ROUNDS = 32
"""Steps from row to row after which all rows are walked through instead."""


def settle_epochs(tables: Mapping[str, pa.Table], recent: Recent, horizon: timedelta) -> dict[str, pa.Table]:
    """The rows that land, without the columns of `Schema.former`, each under the month that it belongs to.

    Raises StorageUnavailable where published rows cannot be read.
    """
    settled = dict(tables)
    of_key = FORMER["key_id"]
    found = (pc.unique(t[of_key]).to_pylist() for t in tables.values() if of_key in t.column_names)
    for month in sorted({month for months in found for month in months if month is not None}):
        horizon_us = horizon // timedelta(microseconds=1)
        for dataset, follows in _followers(settled, recent, month, horizon_us).items():
            settled[dataset] = _under_former(settled[dataset], follows)
    return {name: table.drop_columns([f.name for f in load(name).former if f.name in table.column_names])
            for name, table in settled.items()}  # fmt: skip


class _Rows(NamedTuple):
    """Rows that may follow: receive times in microseconds since 1970, and ids as numbers.

    `codes` has a row for each, in the order of ID_COLUMNS, -1 where it names none; `life` is that of its life, -1
    where it is no fact. `told_codes` are the numbers of what is told of other rows.
    """

    times_us: np.ndarray
    codes: np.ndarray
    life: np.ndarray
    told_codes: np.ndarray


def _followers(tables: Mapping[str, pa.Table], recent: Recent, month: str, horizon_us: int) -> dict[str, np.ndarray]:
    """For each dataset which rows (a mask) land under the former month; nothing where none does."""
    asking = {name: rows for name, table in tables.items() if len(rows := _asking(table, month))}
    parts = {name: _batch(name, tables[name].take(pa.array(rows))) for name, rows in asking.items()}
    times_us = np.concatenate([micros(part["received_at"]) for part in parts.values()])
    ids = [pa.concat_arrays([part[column] for part in parts.values()]) for column in ID_COLUMNS]
    ids.append(pa.concat_arrays([_life_ids(name, part) for name, part in parts.items()]))
    since_us = int(times_us.min()) - horizon_us
    of_portion = [ids_of(name, table.filter(pc.equal(table["key_id"], month)), month, since_us)
                  for name, table in tables.items() if FORMER["key_id"] in table.column_names]  # fmt: skip
    published = recent.near_ids(month, pa.concat_arrays(ids), since_us, int(times_us.max()))
    told = together([*of_portion, published])
    reached = _reached(ids, told)
    follows = np.zeros(len(times_us), dtype=bool)
    follows[reached[_walk(_rows(ids, times_us, reached, told), told, horizon_us)]] = True
    begins = np.cumsum([0, *(len(rows) for rows in asking.values())])
    found = {}
    for (name, rows), begin, end in zip(asking.items(), begins, begins[1:], strict=False):
        if follows[begin:end].any():
            found[name] = np.zeros(tables[name].num_rows, dtype=bool)
            found[name][rows[follows[begin:end]]] = True
    return found


def _rows(ids: list[pa.Array], times_us: np.ndarray, reached: np.ndarray, told: NearIds) -> _Rows:
    own = pa.concat_arrays([column.take(pa.array(reached)) for column in ids])
    coded = pa.concat_arrays([own, told.ids]).dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    of_rows = codes[: len(own)].reshape(len(ids), -1).T
    return _Rows(times_us[reached], of_rows[:, :-1], of_rows[:, -1], codes[len(own) :])


def _life_ids(dataset: str, rows: pa.RecordBatch) -> pa.Array:
    return life_ids(rows) if dataset in FACTS else pa.nulls(len(rows), pa.string())


def _asking(table: pa.Table, month: str) -> np.ndarray:
    """The numbers of the rows that came so early that they may belong to this former month."""
    if FORMER["key_id"] not in table.column_names:
        return np.array([], dtype=np.int64)
    return np.flatnonzero(np.asarray(pc.equal(table[FORMER["key_id"]], month).fill_null(False)))


def _batch(dataset: str, table: pa.Table) -> pa.RecordBatch:
    names = [name for name in (*ID_COLUMNS, "kind", "received_at") if name in load(dataset).arrow.names]
    return pa.RecordBatch.from_pydict({name: pa.concat_arrays(table[name].chunks) for name in names})


def _reached(ids: list[pa.Array], told: NearIds) -> np.ndarray:
    """The numbers of rows that may follow by what they name, whatever the times are: nearly always few of many."""
    former = told.ids.filter(pa.array(told.is_former == 1)).unique()
    reached = np.zeros(len(ids[0]), dtype=bool)
    for _ in range(_MOST_ROUNDS):
        before, reached = reached, np.any([np.asarray(pc.is_in(column, value_set=former)) for column in ids], axis=0)
        if np.array_equal(before, reached):
            return np.flatnonzero(reached)
        fresh = [column.filter(pa.array(reached & ~before)) for column in ids]
        former = pa.concat_arrays([former, *fresh]).drop_null().unique()
    return np.arange(len(reached))


def _walk(rows: _Rows, told: NearIds, horizon_us: int) -> list[int]:
    """The rows that follow, looked at in the order of receipt."""
    wanted = {*rows.codes.ravel().tolist(), *rows.life.tolist()} - {-1}
    pending = [(int(t), code, former) for t, code, former
               in zip(told.times_us, rows.told_codes.tolist(), told.is_former.tolist(), strict=True)
               if code in wanted]  # fmt: skip
    pending.sort(reverse=True)
    known, follows = _Known(horizon_us), list[int]()
    in_order = np.argsort(rows.times_us, kind="stable").tolist()
    for time_us, group in groupby(in_order, key=lambda row: int(rows.times_us[row])):
        while pending and pending[-1][0] <= time_us:
            known.add(*pending.pop())
        follows += _together([*group], time_us, rows, known)
    return follows


class _Known:
    """Of ids that were heard of when that was last, apart for rows of the former month and lives of their own."""

    def __init__(self, horizon_us: int) -> None:
        self._horizon_us = horizon_us
        self._last_us: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def add(self, time_us: int, code: int, former: int) -> None:
        self._last_us[former][code] = time_us

    def is_near(self, time_us: int, code: int, former: int) -> bool:
        heard_us = self._last_us[former].get(code)
        return heard_us is not None and time_us - heard_us <= self._horizon_us


def _together(group: list[int], time_us: int, rows: _Rows, known: _Known) -> Iterator[int]:
    """Rows of one receive time, which may follow each other in any order."""
    codes = {row: [code for code in rows.codes[row].tolist() if code >= 0] for row in group}
    naming: dict[int, list[int]] = defaultdict(list)
    for row in group:
        for code in codes[row]:
            naming[code].append(row)
    waiting, done = [*group], set[int]()
    while waiting:
        row = waiting.pop()
        life = int(rows.life[row])
        is_of_former = known.is_near(time_us, life, 1)
        is_of_own = known.is_near(time_us, life, 0) and not is_of_former
        if row in done or is_of_own or not any(known.is_near(time_us, code, 1) for code in codes[row]):
            continue
        done.add(row)
        yield row
        for code in codes[row]:
            known.add(time_us, code, 1)
            waiting += naming[code]
            naming[code] = []
    for row in group:
        if row not in done and rows.life[row] >= 0:
            known.add(time_us, int(rows.life[row]), 0)


def _under_former(table: pa.Table, follows: np.ndarray) -> pa.Table:
    """The rows with what FORMER names as it was in the former month, where the mask says so."""
    mask = pa.array(follows)
    for name, former in FORMER.items():
        if former in table.column_names:
            values = pa.concat_arrays(table[former].chunks)
            values = values if pa.types.is_string(values.type) else hex_column(values)
            kept = pc.if_else(mask, values, pa.concat_arrays(table[name].chunks))
            table = table.set_column(table.column_names.index(name), table.schema.field(name), kept)
    return table
