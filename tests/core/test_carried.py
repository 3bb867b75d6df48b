"""Carried columns: months as the calendar has them, slots that are even and bounded."""

from collections import Counter
from datetime import UTC, datetime
from hashlib import blake2b

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.carried import month_column, slot_of
from transforms.core.times import TIMESTAMP

MOMENTS = st.datetimes(datetime(1999, 12, 30), datetime(2100, 1, 2), timezones=st.just(UTC))


@given(st.lists(MOMENTS, max_size=12))
def test_months_are_those_of_utc_and_stand_once_in_the_dictionary(moments: list[datetime]) -> None:
    column = month_column(pa.array(moments, TIMESTAMP))
    assert column.to_pylist() == [f"{moment:%Y-%m}" for moment in moments]
    assert len(set(column.dictionary.to_pylist())) == len(column.dictionary)


def test_the_last_microsecond_of_a_month_is_in_it() -> None:
    times = [datetime(2026, 2, 28, 23, 59, 59, 999999, UTC), datetime(2026, 3, 1, tzinfo=UTC)]
    assert month_column(pa.array(times, TIMESTAMP)).to_pylist() == ["2026-02", "2026-03"]


@pytest.mark.parametrize("slots", [1, 2, 7, 16, 1000])
def test_slots_are_even(slots: int) -> None:
    people = 300 * slots
    found = Counter(slot_of(blake2b(str(n).encode()).digest(), slots) for n in range(people))
    assert set(found) == set(range(slots))
    assert max(found.values()) < 1.4 * people / slots


@given(st.binary(min_size=8, max_size=32), st.integers(1, 10**6))
def test_a_slot_depends_on_the_first_eight_bytes_alone(digest: bytes, slots: int) -> None:
    assert 0 <= slot_of(digest, slots) < slots
    assert slot_of(digest, slots) == slot_of(digest[:8] + b"anything", slots)
