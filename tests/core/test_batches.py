"""Batches: counts become rows and lose nothing; what is unprotected cannot be pickled out of its stage."""

import pickle
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from apache_beam.internal import pickler as beam_pickler
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.batches import (
    COUNT_BUCKET,
    COUNT_SCHEMA,
    COUNTS,
    RANGES,
    TAKEN,
    EventBatch,
    Origins,
    Tally,
    ranges_batch,
    taken_batch,
)
from transforms.core.blocks import Block, RangeRead, Taken
from transforms.core.consent import Collector

COUNTED = st.tuples(
    st.integers(-10, 40_000),
    st.sampled_from(["events", "withheld"]),
    st.sampled_from(["", "off", "x"]),
    st.integers(0, 9),
)


@given(st.lists(COUNTED, max_size=30))
def test_tally_adds_up_as_a_counter_does(counted: list[tuple[int, str, str, int]]) -> None:
    tally, model = Tally(), Counter[tuple[int, str, str]]()
    for day, kind, key, count in counted:
        tally.add(day, kind, key, count)
        model[day, kind, key] += count
    batch = tally.batch()
    if batch is None:
        assert not +model
        return
    assert batch.kind == COUNTS
    assert batch.batch.schema == COUNT_SCHEMA
    rows = batch.batch.to_pylist()
    assert {(r["days"], r["kind"], r["key"]): r["count"] for r in rows} == dict(+model)
    assert [(r["days"], r["kind"], r["key"]) for r in rows] == sorted(+model), "in one order, whatever came first"
    assert {r["slot_code"] for r in rows} == {COUNT_BUCKET}


def test_what_a_block_took_stands_in_rows_of_the_count_bucket() -> None:
    taken, read = [Taken("0", 5, 9), Taken("1@g", 0, 2**62)], [RangeRead("ab", 10, 0), RangeRead("cd", 0, 3)]
    for batch, kind, told in ((taken_batch(taken), TAKEN, taken), (ranges_batch(read), RANGES, read)):
        assert batch is not None
        assert batch.kind == kind
        assert [tuple(row.values()) for row in batch.batch.to_pylist()] == [(COUNT_BUCKET, *part) for part in told]
    assert taken_batch([]) is None
    assert ranges_batch([]) is None


def origins(**changes: object) -> Origins:
    facts = {"lines": [b"a", b"b", b"c"], "requests": [None] * 3, "stamps": [Collector()] * 3}
    return Origins(**{**facts, "is_primary": True, "failed": set(), "kept": np.arange(3), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("pickler", [pickle.dumps, beam_pickler.dumps], ids=["pickle", "beam"])
@pytest.mark.parametrize(
    "unprotected",
    [Block(lines=[b"x"]), EventBatch("displays", pa.record_batch({"client_ip": ["8.8.8.8"]})), origins()],
    ids=["block", "batch", "origins"],
)
def test_what_is_unprotected_is_never_pickled(unprotected: object, pickler: object) -> None:
    for wrapped in (unprotected, [unprotected], {"a": unprotected}):
        with pytest.raises(TypeError, match="leave the stage"):
            pickler(wrapped)  # type: ignore[operator]


def test_rows_of_failed_events_are_told_apart_after_any_filter() -> None:
    failed: set[int] = set()
    some = origins(failed=failed, kept=np.array([0, 2])).of_rows(np.array([1, 0]))
    assert some.kept.tolist() == [2, 0]
    assert some.not_failed().tolist() == [True, True]
    failed.add(2)
    assert some.not_failed().tolist() == [False, True], "all batches of a block share what failed"
