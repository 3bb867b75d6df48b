"""The law of duplicates against a model that is slow and obvious."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.curating.deduplicate import content_ranks, duplicates

ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20), st.sampled_from("xyz")), max_size=14)
PUBLISHED = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), max_size=4)


def landed(rows: list, published: list, lookback: int) -> list:
    kept = []
    near = list(published)
    for key, time, content in sorted(rows, key=lambda r: (r[1], r[0], r[2])):
        if not any(k == key and abs(t - time) <= lookback for k, t in near):
            near.append((key, time))
            kept.append((key, time, content))
    return sorted(kept)


def run(rows: list, published: list, lookback: int) -> list:
    mask = duplicates(
        pa.array([r[0] for r in rows], pa.string()),
        np.array([r[1] for r in rows], dtype=np.int64),
        pa.array([p[0] for p in published], pa.string()),
        np.array([p[1] for p in published], dtype=np.int64),
        lookback,
        lambda tied: [rows[row][2] for row in tied],
    )
    return sorted(r for r, is_duplicate in zip(rows, mask, strict=True) if not is_duplicate)


@given(ROWS, PUBLISHED, st.integers(0, 20))
def test_same_rows_land_as_in_the_model(rows: list, published: list, lookback: int) -> None:
    assert run(rows, published, lookback) == landed(rows, published, lookback)


@given(ROWS, PUBLISHED, st.randoms())
def test_order_changes_nothing(rows: list, published: list, random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert run(shuffled, published, 5) == run(rows, published, 5)


@given(ROWS, st.integers(0, 3))
def test_copies_change_nothing(rows: list, times: int) -> None:
    assert run(rows * (times + 1), [], 5) == run(rows, [], 5)


@given(ROWS, st.integers(0, 20))
def test_what_was_published_lands_no_more(rows: list, lookback: int) -> None:
    first = run(rows, [], lookback)
    assert run(rows, [(r[0], r[1]) for r in first], lookback) == []


CONTENTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]), st.sampled_from([0.0, -0.0, 1.5, None]), st.sampled_from([b"x", None])
    ),
    min_size=1,
    max_size=9,
)


def ranks_of(rows: list) -> list[int]:
    text, number, data = zip(*rows, strict=True)
    table = pa.table({"text": pa.array(text, pa.string()), "number": pa.array(number, pa.float64()),
                      "data": pa.array(data, pa.binary())})  # fmt: skip
    return content_ranks(table).tolist()


@given(CONTENTS, st.randoms())
def test_content_is_ranked_whatever_the_order_and_equal_where_every_bit_is(rows: list, random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ranks, again = (dict(zip(map(repr, some), ranks_of(some), strict=True)) for some in (rows, shuffled))
    assert ranks == again
    assert len(set(ranks.values())) == len(ranks)


def test_rows_with_maps_are_told_apart_by_what_is_in_them() -> None:
    kind = pa.map_(pa.string(), pa.string())
    maps = pa.array([[("a", "1")], None, [("a", "2")], [("a", "1")], []], kind)
    ranks = content_ranks(pa.table({"n": pa.array([0] * 5), "m": maps})).tolist()
    assert ranks[0] == ranks[3]
    assert len({*ranks}) == 4
