"""Which rows belong to a life: against looking at every pair of the two."""

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.suggestions.attach import belonging, first_of_each
from transforms.core.suggestions.facts import Facts
from transforms.core.suggestions.lives import Lives
from transforms.core.times import TIMESTAMP

HORIZON_US = 3
KEYS = st.one_of(st.none(), st.sampled_from("abc"))
LIVES = st.lists(st.tuples(KEYS, st.integers(0, 20), st.integers(0, 9)), min_size=1, max_size=5)
ROWS = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers(0, 35))), max_size=9)


def lives_of(spans: list[Any]) -> Lives:
    none = np.array([], dtype=np.int64)
    first_us = np.array([first for _, first, _ in spans])
    closed_at_us = np.array([first + length for _, first, length in spans])
    return Lives(none, none, none, none, first_us, first_us, closed_at_us, [])


def batch_of(rows: list[Any]) -> pa.RecordBatch:
    columns = {
        "request_id": pa.array([key for key, _ in rows], pa.string()),
        "received_at": pa.array([time for _, time in rows], TIMESTAMP),
        "occurred_at": pa.array([None for _ in rows], TIMESTAMP),
        "event_id": pa.array([f"{n:032x}" for n in range(len(rows))], pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns)


@given(LIVES, ROWS)
def test_rows_belong_by_key_and_time(spans: list[Any], rows: list[Any]) -> None:
    """A time that is unknown counts as 0, and a key that is unknown belongs to nobody."""
    keys = pa.array([key for key, _, _ in spans], pa.string())
    found = belonging(batch_of(rows), "request_id", keys, lives_of(spans), HORIZON_US)
    pairs = [
        (life, int(event_id, 16)) for life, event_id in zip(found.life, found.rows["event_id"].to_pylist(), strict=True)
    ]
    expected = [
        (life, row)
        for life, (wanted, first, length) in enumerate(spans)
        for row, (key, time) in enumerate(rows)
        if key is not None and key == wanted and first - HORIZON_US <= (time or 0) <= first + length
    ]
    assert sorted(pairs) == expected


def test_the_first_of_a_life_is_the_earliest_whatever_the_order() -> None:
    rows = batch_of([("a", 9), ("a", 7), ("b", 8)])
    facts = Facts(rows, np.array([1, 1, 2]))
    assert first_of_each(facts, 4).tolist() == [-1, 1, 2, -1]
