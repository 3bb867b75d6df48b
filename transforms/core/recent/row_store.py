"""Rows kept in memory from window to window, found by an id or because their time has come."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.recent.key_index import KeyIndex

_MOST_CHUNKS = 64
"""Chunks at which they are put together into one."""

_ROW_BITS = 32
"""Bits of a place that number the row; those above number the chunk."""

Places = np.ndarray
"""Where rows stand, each as one int64: the number of the chunk and of the row in it."""

_NO_PLACES: Places = np.array([], dtype=np.int64)


@dataclass
class _Chunk:
    rows: pa.RecordBatch
    due_us: np.ndarray
    is_live: np.ndarray


class RowStore:
    """Rows of one dataset, each with the time at which it comes up by itself.

    A window costs as much as the rows it asks for, however many others are kept.
    Each window adds a chunk. Removed rows are only marked, and chunks are put
    together once they are many or once the indexes name more than twice the rows
    that are left; so a store never holds more than twice its rows for long.
    """

    def __init__(self, schema: pa.Schema, indexed: Sequence[str]) -> None:
        self._schema = schema
        self._none = pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in schema], schema=schema)
        self._indexed = [name for name in indexed if name in schema.names]
        self._clear()

    def _clear(self) -> None:
        self._chunks: dict[int, _Chunk] = {}
        self._next_chunk = self._indexed_rows = self._live_rows = 0
        self._indexes = {name: KeyIndex() for name in self._indexed}

    def __len__(self) -> int:
        return self._live_rows

    def add(self, rows: pa.RecordBatch, due_us: np.ndarray) -> None:
        """Adds rows; `due_us` says for each when it comes up by itself, in microseconds since 1970.

        Places that were asked for before no longer hold.
        """
        if len(self._chunks) >= _MOST_CHUNKS or self._indexed_rows > 2 * self._live_rows:
            self._compact()
        if rows.num_rows:
            self._append(rows, due_us)

    def _append(self, rows: pa.RecordBatch, due_us: np.ndarray) -> None:
        number, self._next_chunk = self._next_chunk, self._next_chunk + 1
        self._chunks[number] = _Chunk(rows, due_us, np.ones(rows.num_rows, dtype=bool))
        self._indexed_rows += rows.num_rows
        self._live_rows += rows.num_rows
        for name, index in self._indexes.items():
            # An index holds no nulls: it reads the memory of its keys, in which a null has no place.
            valid = np.flatnonzero(np.asarray(rows[name].is_valid()))
            index.add(rows[name].drop_null(), (number << _ROW_BITS) + valid)

    def _compact(self) -> None:
        rows = self.rows_at(self._live())
        due_us = np.concatenate([_NO_PLACES, *(chunk.due_us[chunk.is_live] for chunk in self._chunks.values())])
        self._clear()
        if rows.num_rows:
            self._append(rows, due_us)

    def _live(self) -> Places:
        every = [(number << _ROW_BITS) + np.flatnonzero(c.is_live) for number, c in self._chunks.items()]
        return np.concatenate([_NO_PLACES, *every])

    def due_before(self, time_us: int) -> Places:
        """Where the rows stand that come up by themselves before a time, in microseconds since 1970."""
        every = [(n << _ROW_BITS) + np.flatnonzero(c.is_live & (c.due_us < time_us)) for n, c in self._chunks.items()]
        return np.concatenate([_NO_PLACES, *every])

    def find(self, name: str, ids: pa.Array) -> Places:
        """Where the rows stand whose column holds one of the ids, none of them null; nowhere if it is not indexed."""
        if name not in self._indexes or not len(ids):
            return _NO_PLACES
        keys, values = self._indexes[name].find(ids)
        if not len(keys):
            return _NO_PLACES
        # The index compares half of a key, and it still names rows that were removed.
        places = np.unique(values[0][np.asarray(pc.is_in(keys, value_set=ids))])
        return places[self._is_live(places)]

    def holds(self, name: str, ids: pa.Array) -> np.ndarray:
        """For each of the ids whether a row has it in that column; False for null."""
        found = self.rows_at(self.find(name, ids.drop_null()))
        if not found.num_rows:
            return np.zeros(len(ids), dtype=bool)
        return np.asarray(pc.is_in(ids, value_set=found[name].drop_null())) & np.asarray(ids.is_valid())

    def _is_live(self, places: Places) -> np.ndarray:
        live = np.zeros(len(places), dtype=bool)
        numbers = places >> _ROW_BITS
        for number in np.unique(numbers):
            # A chunk of which no row is left is gone, though the index may name it.
            if (chunk := self._chunks.get(int(number))) is not None:
                mine = numbers == number
                live[mine] = chunk.is_live[places[mine] & ((1 << _ROW_BITS) - 1)]
        return live

    def rows_at(self, places: Places) -> pa.RecordBatch:
        """The rows at these places, by chunk; they stay in the store."""
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
        """Removes the rows at these places, each of which is named once and holds a row."""
        numbers = places >> _ROW_BITS
        for number in np.unique(numbers):
            chunk = self._chunks[int(number)]
            chunk.is_live[places[numbers == number] & ((1 << _ROW_BITS) - 1)] = False
            if not chunk.is_live.any():
                del self._chunks[int(number)]
        self._live_rows -= len(places)
