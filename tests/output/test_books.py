"""Books add up: whatever is counted where, sums and rows give back the same counts."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import load
from transforms.core.output.books import Books

PLAIN = ("payloads", "events", "landed", "duplicate")
MAPS = tuple(name for name in vars(Books()) if name not in PLAIN)
COUNT = st.integers(0, 2**40)
ENTRY = st.tuples(st.sampled_from(PLAIN), st.just(""), COUNT) | st.tuples(
    st.sampled_from(MAPS), st.sampled_from(["a", "b", "ü", ""]), COUNT
)


def booked(entries: list[tuple[str, str, int]]) -> Books:
    books = Books()
    for entry in entries:
        books.add(*entry)
    return books


@given(st.lists(ENTRY), st.randoms())
def test_the_order_of_counting_changes_nothing(entries: list[tuple[str, str, int]], rng: object) -> None:
    shuffled = list(entries)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert booked(entries) == booked(shuffled)
    assert booked(entries).as_row() == booked(shuffled).as_row()


@given(st.lists(ENTRY), st.lists(ENTRY))
def test_books_go_through_a_ledger_row_as_it_is_written(
    first: list[tuple[str, str, int]], second: list[tuple[str, str, int]]
) -> None:
    """Through Arrow in the ledger's schema, as files hold it; two rows add up to the books of both."""
    schema = pa.schema([f for f in load("ledger").arrow if f.name in vars(Books())])
    rows = pa.Table.from_pylist([booked(first).as_row(), booked(second).as_row()], schema=schema).to_pylist()
    total = Books()
    for row in rows:
        total.add_row(row)
    expected = booked([*first, *second])
    for name in PLAIN:
        assert getattr(total, name) == getattr(expected, name)
    for name in MAPS:
        assert getattr(total, name) == getattr(expected, name)


@given(st.lists(ENTRY))
def test_every_fate_counts_once(entries: list[tuple[str, str, int]]) -> None:
    fates = ("landed", "duplicate", "withheld", "outside_contract", "quarantined")
    assert booked(entries).accounted == sum(count for column, _, count in entries if column in fates)


@given(st.lists(ENTRY), ENTRY)
def test_a_copy_is_changed_by_itself(entries: list[tuple[str, str, int]], more: tuple[str, str, int]) -> None:
    books = booked(entries)
    before = books.as_row()
    books.copy().add(*more)
    assert books.as_row() == before
    assert books.copy() == books


def test_a_row_of_before_a_column_was_there() -> None:
    books = Books()
    books.add_row({"events": 3, "landed": 3, "withheld": None})
    assert (books.events, books.landed, books.withheld) == (3, 3, Counter())


@pytest.mark.parametrize(
    ("told", "events", "most"),
    [(None, 0, 1000), (None, 1_000_000, 1000), (None, 1_001_000, 1001), (0, 10**9, 0), (5, 10, 5)],
)
def test_how_many_may_be_unprocessable(told: int | None, events: int, most: int) -> None:
    assert Books(events=events).most_unprocessable(told) == most


def test_a_column_that_is_none_is_an_error() -> None:
    with pytest.raises(AttributeError):
        Books().add("nothing", "", 1)
