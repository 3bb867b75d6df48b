"""The order of facts and their first rows, against Python's own sorting."""

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.suggestions.facts import firsts, in_order, micros, values_at
from transforms.core.times import TIMESTAMP

KEYS = st.integers(0, 3)
TIMES = st.sampled_from([-62_135_596_800_000_000, -1, 0, 1, 5, 253_402_300_799_999_999])
"""The first and the last time that a client's clock can tell, and some near 1970, in microseconds."""
IDS = st.sampled_from([0, 1, 9, 0x7FFFFFFFFFFFFFFF, 0x80000000FFFFFFFF, 0xFFFFFFFFFFFFFFFF])
ROWS = st.lists(st.tuples(KEYS, st.one_of(st.none(), TIMES), st.integers(0, 3), IDS), max_size=12)


def batch(rows: list[Any], padding: int = 0) -> pa.RecordBatch:
    """The rows as a slice out of a longer batch."""
    rows = [(0, 0, 0, 5)] * padding + rows
    columns = {
        "occurred_at": pa.array([r[1] for r in rows], TIMESTAMP),
        "received_at": pa.array([r[2] for r in rows], TIMESTAMP),
        "event_id": pa.array([f"{r[3]:016x}{0:016x}" for r in rows], pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns).slice(padding)


@given(ROWS, st.booleans(), st.integers(0, 2))
def test_order_is_that_of_sorting_tuples(rows: list[Any], latest_first: bool, padding: int) -> None:
    sign = -1 if latest_first else 1

    def place(row: Any) -> tuple:
        key, occurred, received, event_id = row
        return key, occurred is None, sign * (occurred or 0), sign * received, event_id

    keys = np.array([r[0] for r in rows], dtype=np.int64)
    ordered = in_order(batch(rows, padding), keys, latest_first=latest_first)
    assert [rows[n] for n in ordered] == sorted(rows, key=place)


@given(ROWS)
def test_the_first_of_two_keys_is_the_more_important(rows: list[Any]) -> None:
    first = np.array([r[0] % 2 for r in rows], dtype=np.int64)
    second = np.array([r[0] // 2 for r in rows], dtype=np.int64)
    ordered = in_order(batch(rows), first, second)
    keys = [(first[n], second[n]) for n in ordered]
    assert keys == sorted(keys)


@given(st.lists(KEYS, max_size=9), st.integers(4, 6))
def test_firsts_are_those_of_a_dictionary(keys: list[int], count: int) -> None:
    ordered = sorted(range(len(keys)), key=lambda n: (keys[n], -n))
    expected: dict[int, int] = {}
    for row in ordered:
        expected.setdefault(keys[row], row)
    found = firsts(np.array(ordered, dtype=np.int64), np.array(keys, dtype=np.int64), count)
    assert found.tolist() == [expected.get(key, -1) for key in range(count)]


def test_unknown_times_and_missing_rows() -> None:
    assert micros(pa.array([None, 5], TIMESTAMP)).tolist() == [0, 5]
    assert micros(pa.array([None, 5], TIMESTAMP), unknown_us=-1).tolist() == [-1, 5]
    assert values_at(pa.array(["a", None, "c"]), np.array([2, -1, 1, 0])).to_pylist() == ["c", None, None, "a"]
    assert values_at(pa.array([], pa.string()), np.array([-1])).to_pylist() == [None]
