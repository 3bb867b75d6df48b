"""What is kept from window to window is found as in a plain list, and takes no more room than that twice over."""

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.recent.row_store import RowStore

SCHEMA = pa.schema([("suggestion_id", pa.string()), ("number", pa.int64())])
ROWS = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 9)), st.integers(0, 99)), max_size=8)
Row = tuple[int | None, int, int]


def key(number: int) -> str:
    """Every two agree in the half by which the index looks them up."""
    return f"{number // 2:016x}{number % 2:016x}"


def batch_of(rows: list[Row]) -> pa.RecordBatch:
    columns = [[None if owner is None else key(owner) for owner, _, _ in rows], [number for _, _, number in rows]]
    arrays = [pa.array(c, t) for c, t in zip(columns, SCHEMA.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, SCHEMA.names)


def numbers(batch: pa.RecordBatch) -> list[int]:
    return sorted(batch["number"].to_pylist())


@given(st.lists(st.tuples(ROWS, st.integers(0, 9), st.integers(0, 99)), max_size=90))
def test_rows_are_found_as_in_a_list(windows: list[tuple[list[Any], int, int]]) -> None:
    """Each window adds rows, asks for one id, and removes what is due and what that id has, as a window does."""
    store, model = RowStore(SCHEMA, ["suggestion_id"]), list[Row]()
    for window, (rows, asked, clock) in enumerate(windows):
        added = [(owner, due, 1000 * window + place) for place, (owner, due) in enumerate(rows)]
        store.add(batch_of(added), np.array([due for _, due, _ in added], dtype=np.int64))
        held = sum(chunk.rows.num_rows for chunk in store._chunks.values())
        assert held <= 2 * len(model) + len(added)
        assert len(store._indexes["suggestion_id"]) <= 2 * len(model) + len(added)
        assert len(store._chunks) <= 65
        model += added
        of_owner = store.find("suggestion_id", pa.array([key(asked)]))
        assert numbers(store.rows_at(of_owner)) == [n for o, _, n in model if o == asked]
        assert store.holds("suggestion_id", pa.array([key(asked), None])).tolist() == [bool(len(of_owner)), False]
        due = store.due_before(clock)
        assert numbers(store.rows_at(due)) == [n for _, d, n in model if d < clock]
        gone = np.unique(np.concatenate([due, of_owner])) if window % 3 == 0 else due
        store.remove(gone)
        model = [row for row in model if row[1] >= clock and (window % 3 or row[0] != asked)]
        assert len(store) == len(model)


def test_looking_leaves_everything_where_it_is() -> None:
    store = RowStore(SCHEMA, ["suggestion_id"])
    store.add(batch_of([(1, 5, 0), (2, 6, 1), (None, 7, 2)]), np.array([5, 6, 7]))
    for _ in range(2):
        assert numbers(store.rows_at(store.due_before(99))) == [0, 1, 2]
        assert len(store) == 3


def test_a_column_that_is_not_indexed_finds_nothing_and_needs_none() -> None:
    store = RowStore(SCHEMA, ["suggestion_id", "opportunity_id"])
    store.add(batch_of([(1, 5, 0)]), np.array([5]))
    for column in ("opportunity_id", "number"):
        assert len(store.find(column, pa.array([key(1)]))) == 0
        assert store.holds(column, pa.array([key(1)])).tolist() == [False]


def test_of_nothing_the_columns_are_those_of_the_rows() -> None:
    store = RowStore(SCHEMA, ["suggestion_id"])
    assert store.rows_at(store.due_before(99)).schema.equals(SCHEMA)
    store.add(batch_of([(1, 5, 0)]), np.array([5]))
    store.remove(store.due_before(99))
    assert store.rows_at(store.find("suggestion_id", pa.array([key(1)]))).schema.equals(SCHEMA)
