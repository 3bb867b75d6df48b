"""Rows kept in memory from window to window, found by ids, or because they are due."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.recent.key_index import KeyIndex

_MOST_CHUNKS = 64
_ROW_BITS = 32
Places = np.ndarray
"""Where rows stand: chunk and row in one int64."""

_NO_PLACES: Places = np.array([], dtype=np.int64)


@dataclass
class _Chunk:
    rows: pa.RecordBatch
    due: np.ndarray
    is_live: np.ndarray


class RowStore:
    """Rows of one dataset; what a window costs follows from the rows it asks for, not from those that are kept.

    Each window adds a chunk; they are put together once they are many, or once the indexes name more rows
    that are gone than are there: so neither holds more than twice the rows.
    """

    def __init__(self, schema: pa.Schema, indexed: Sequence[str]) -> None:
        self._schema = schema
        self._none = pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in schema], schema=schema)
        self._indexed = [name for name in indexed if name in schema.names]
        self._clear()

    def _clear(self) -> None:
        self._chunks: dict[int, _Chunk] = {}
        self._next = self._indexed_rows = self._live_rows = 0
        self._indexes = {name: KeyIndex() for name in self._indexed}

    def __len__(self) -> int:
        return self._live_rows

    def add(self, rows: pa.RecordBatch, due: np.ndarray) -> None:
        """Takes rows in; `due` says for each when it is to come up by itself, in microseconds."""
        if len(self._chunks) >= _MOST_CHUNKS or self._indexed_rows > 2 * self._live_rows:
            self._compact()
        if rows.num_rows:
            self._append(rows, due)

    def _append(self, rows: pa.RecordBatch, due: np.ndarray) -> None:
        number, self._next = self._next, self._next + 1
        self._chunks[number] = _Chunk(rows, due, np.ones(rows.num_rows, dtype=bool))
        self._indexed_rows += rows.num_rows
        self._live_rows += rows.num_rows
        for name, index in self._indexes.items():
            valid = np.flatnonzero(np.asarray(rows[name].is_valid()))
            index.add(rows[name].drop_null(), (number << _ROW_BITS) + valid)

    def _compact(self) -> None:
        rows = self.take(self._live())
        due = np.concatenate([_NO_PLACES, *(chunk.due[chunk.is_live] for chunk in self._chunks.values())])
        self._clear()
        if rows.num_rows:
            self._append(rows, due)

    def _live(self) -> Places:
        every = [(number << _ROW_BITS) + np.flatnonzero(c.is_live) for number, c in self._chunks.items()]
        return np.concatenate([_NO_PLACES, *every])

    def due_before(self, moment: int) -> Places:
        """Rows that are due earlier."""
        every = [(n << _ROW_BITS) + np.flatnonzero(c.is_live & (c.due < moment)) for n, c in self._chunks.items()]
        return np.concatenate([_NO_PLACES, *every])

    def find(self, name: str, ids: pa.Array) -> Places:
        """Rows whose indexed column holds one of the ids; none where the column is not indexed."""
        if name not in self._indexes or not len(ids):
            return _NO_PLACES
        keys, values = self._indexes[name].find(ids)
        if not len(keys):
            return _NO_PLACES
        places = np.unique(values[0][np.asarray(pc.is_in(keys, value_set=ids))])
        return places[self._is_live(places)]

    def holds(self, name: str, ids: pa.Array) -> np.ndarray:
        """For each of the ids whether a row holds it in that column."""
        found = self.take(self.find(name, ids.drop_null()))
        if not found.num_rows:
            return np.zeros(len(ids), dtype=bool)
        return np.asarray(pc.is_in(ids, value_set=found[name].drop_null())) & np.asarray(ids.is_valid())

    def _is_live(self, places: Places) -> np.ndarray:
        live = np.zeros(len(places), dtype=bool)
        numbers = places >> _ROW_BITS
        for number in np.unique(numbers):
            if (chunk := self._chunks.get(int(number))) is not None:
                mine = numbers == number
                live[mine] = chunk.is_live[places[mine] & ((1 << _ROW_BITS) - 1)]
        return live

    def take(self, places: Places) -> pa.RecordBatch:
        """The rows at these places; they stay."""
        numbers, parts = places >> _ROW_BITS, []
        for number in np.unique(numbers):
            rows = places[numbers == number] & ((1 << _ROW_BITS) - 1)
            parts.append(self._chunks[int(number)].rows.take(pa.array(rows)))
        if not parts:
            return self._none
        return pa.RecordBatch.from_arrays(
            [pa.concat_arrays([part.column(i) for part in parts]) for i in range(len(self._schema))],
            schema=self._schema,
        )

    def remove(self, places: Places) -> None:
        """Lets rows go that are there, each named once."""
        numbers = places >> _ROW_BITS
        for number in np.unique(numbers):
            chunk = self._chunks[int(number)]
            chunk.is_live[places[numbers == number] & ((1 << _ROW_BITS) - 1)] = False
            if not chunk.is_live.any():
                del self._chunks[int(number)]
        self._live_rows -= len(places)
