"""What is kept from window to window is found as in a plain list, and takes no more room than that twice over."""

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.recent.row_store import RowStore

SCHEMA = pa.schema([("suggestion_id", pa.string()), ("number", pa.int64())])
ROWS = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 9)), st.integers(0, 99)), max_size=8)


def key(number: int) -> str:
    return f"{number * 7919:032x}"


def numbers(batch: pa.RecordBatch) -> list[int]:
    return sorted(batch["number"].to_pylist())


@given(st.lists(st.tuples(ROWS, st.integers(0, 9), st.integers(0, 99)), max_size=90))
def test_rows_are_found_as_in_a_list(windows: list[tuple[list[Any], int, int]]) -> None:
    """Each window adds rows, asks for one id, and takes out what is due."""
    store, model = RowStore(SCHEMA, ["suggestion_id"]), list[tuple[int | None, int, int]]()
    for window, (rows, asked, clock) in enumerate(windows):
        added = [(owner, due, 1000 * window + place) for place, (owner, due) in enumerate(rows)]
        columns = [[None if o is None else key(o) for o, _, _ in added], [n for _, _, n in added]]
        batch = pa.RecordBatch.from_arrays(
            [pa.array(c, t) for c, t in zip(columns, SCHEMA.types, strict=True)], SCHEMA.names
        )
        store.add(batch, np.array([due for _, due, _ in added], dtype=np.int64))
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
        store.remove(due)
        model = [row for row in model if row[1] >= clock]
        assert len(store) == len(model)
