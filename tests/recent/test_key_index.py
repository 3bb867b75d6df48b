"""The index against a plain list of what was added: found whole, forgotten exactly, short beside what it holds."""

import itertools
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.recent.key_index import KeyIndex

Entry = tuple[str, int, int]
HALF = 8 * 2
"""Hex digits of half a key: what the index compares."""


def key(number: int) -> str:
    """Keys of which each two that follow on an even one agree in their first half, or in their second."""
    return f"{number // 2:0{HALF}x}{number % 2:0{HALF}x}"


KEYS = st.integers(0, 9)
ENTRIES = st.lists(st.tuples(KEYS, st.integers(0, 99), st.integers(0, 30)), max_size=12)
CALLS = st.one_of(
    st.tuples(st.just("add"), ENTRIES),
    st.tuples(st.just("find"), st.lists(KEYS, max_size=5)),
    st.tuples(st.just("forget"), st.integers(0, 31)),
)


def column(keys: list[str], padding: int) -> pa.Array:
    """The keys as a slice out of a longer column."""
    return pa.array(["f" * 32] * padding + keys + ["e" * 32] * padding, pa.string()).slice(padding, len(keys))


@given(st.lists(CALLS, max_size=25), st.integers(0, 2))
def test_any_calls_find_what_a_list_finds(calls: list[tuple[str, list]], padding: int) -> None:
    index, model = KeyIndex(), list[Entry]()
    for call, told in calls:
        if call == "add":
            numbers = [np.array([entry[n] for entry in told], dtype=np.int64) for n in (1, 2)]
            index.add(column([key(k) for k, _, _ in told], padding), *numbers)
            model += [(key(k), a, b) for k, a, b in told]
        elif call == "forget":
            index.forget_before(told)
            model = [entry for entry in model if entry[2] >= told]
        else:
            wanted = {key(k) for k in told}
            keys, values = index.find(column(sorted(wanted), padding))
            found = Counter(zip(keys.to_pylist(), *(v.tolist() for v in values), strict=True)) if values else Counter()
            halves = {k[:HALF] for k in wanted}
            assert found == Counter(entry for entry in model if entry[0][:HALF] in halves)
        assert len(index) == len(model)


def test_parts_stay_few_however_it_is_filled() -> None:
    """A window adds a few keys: looking into a part for each window would be slower with every hour."""
    index = KeyIndex()
    for number in range(1000):
        index.add(pa.array([f"{number:032x}"]), np.array([number]))
        sizes = [len(part[0]) for part in index._parts]
        assert sum(sizes) == number + 1
        assert all(before >= 2 * after for before, after in itertools.pairwise(sizes))
    assert len(index._parts) <= 10


@pytest.mark.parametrize("keys", [pa.array([], pa.string()), pa.array(["a" * 32]).slice(1)])
def test_no_keys_are_neither_added_nor_found(keys: pa.Array) -> None:
    index = KeyIndex()
    index.add(keys, np.array([], dtype=np.int64))
    assert len(index) == 0
    index.add(pa.array(["a" * 32]), np.array([1]))
    assert index.find(keys)[1] == []
