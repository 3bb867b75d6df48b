"""Ids that rows named lately, and whether those rows stand under the key of the month before.

A row that is received on the first day of a month asks for them before it lands: see
`transforms.core.curating.epochs`.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import load
from transforms.core.recent.key_index import KeyIndex
from transforms.core.suggestions.facts import micros
from transforms.core.suggestions.life_ids import life_ids
from transforms.core.suggestions.rows import FACTS
from transforms.core.times import DAY_US

ID_COLUMNS = ("suggestion_id", "opportunity_id", "request_id")
"""Columns that say what a row belongs to."""


class NearIds(NamedTuple):
    """Ids as they are in memory; when a row that names each was received, in microseconds since 1970; and which month.

    Of a row of the former month every id stands here (`is_former` is 1), of a fact of its own month its life's (0).
    """

    ids: pa.Array
    is_former: np.ndarray
    times_us: np.ndarray


NO_IDS = NearIds(pa.nulls(0, pa.string()), *[np.array([], dtype=np.int64)] * 2)  # pa.array would import pandas


def columns_asked(dataset: str) -> list[str]:
    """The columns of a dataset that `ids_of` needs."""
    return [name for name in (*ID_COLUMNS, "kind", "key_id", "received_at") if name in load(dataset).arrow.names]


def ids_of(dataset: str, table: pa.Table, month: str, since_us: int) -> NearIds:
    """What rows say that were received at `since_us`, in microseconds since 1970, or later; `month` is the former."""
    columns = {name: pa.concat_arrays(table[name].chunks) for name in columns_asked(dataset) if table.num_rows}
    if not columns:
        return NO_IDS
    rows = pa.RecordBatch.from_pydict(columns)
    times_us = micros(rows["received_at"])
    is_near, is_former = times_us >= since_us, np.asarray(pc.equal(rows["key_id"], month))
    told = [_told(rows[name], is_near & is_former, times_us, 1) for name in ID_COLUMNS]
    if dataset in FACTS:
        told.append(_told(life_ids(rows), is_near & ~is_former, times_us, 0))
    return together(told)


def together(told: Iterable[NearIds]) -> NearIds:
    """All of them."""
    ids, is_former, times_us = zip(NO_IDS, *told, strict=True)
    return NearIds(pa.concat_arrays(ids), np.concatenate(is_former), np.concatenate(times_us))


def _told(ids: pa.Array, which: np.ndarray, times_us: np.ndarray, is_former: int) -> NearIds:
    which = which & np.asarray(ids.is_valid())
    count = int(np.count_nonzero(which))
    return NearIds(ids.filter(pa.array(which)), np.full(count, is_former, dtype=np.int64), times_us[which])


class NearIndex:
    """The ids that a bucket published since `complete_from_us`, kept from window to window.

    `asked_us` is the latest receive time for which somebody asked; all times are microseconds since 1970.
    """

    def __init__(self, month: str, complete_from_us: int, told: NearIds) -> None:
        self.month = month
        self.complete_from_us = complete_from_us
        self.asked_us = complete_from_us
        self._index = KeyIndex()
        self._add(told)

    def find(self, ids: pa.Array) -> NearIds:
        """What was published of these ids, nulls and repeated ones aside; others may be among them."""
        found, values = self._index.find(ids.drop_null())
        return NearIds(found, *values) if values else NO_IDS

    def add(self, dataset: str, table: pa.Table) -> None:
        """Adds rows that were just published."""
        self._add(ids_of(dataset, table, self.month, self.complete_from_us))

    def is_over(self, table: pa.Table) -> bool:
        """Whether rows come from so long after the last question that there will be none any more."""
        return bool((pc.max(table["received_at"].cast(pa.int64())).as_py() or 0) > self.asked_us + DAY_US)

    def forget_before(self, earliest_us: int) -> None:
        """Removes what was received before a time."""
        if earliest_us > self.complete_from_us:
            self._index.forget_before(earliest_us)
            self.complete_from_us = earliest_us

    def _add(self, told: NearIds) -> None:
        self._index.add(told.ids, told.is_former, told.times_us)
