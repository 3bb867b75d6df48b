"""What a worker needs grows with a bucket's share of the input, and advice leads to a number that fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.workers.room import READING_BYTES, advice, fitting_buckets, worker_bytes
from transforms.core.ranges import Range

GB = 10**9


def ranges(size_bytes: int, name: str = "raw.ndjson") -> list[Range]:
    return [Range(name, 0, None, size_bytes)]


def test_more_buckets_need_less_and_packed_files_more() -> None:
    needs = [worker_bytes(ranges(30 * GB), buckets) for buckets in (1, 16, 64)]
    assert needs == sorted(needs, reverse=True)
    assert 1.5 * GB < needs[1] < 2.5 * GB
    assert worker_bytes(ranges(3 * GB, "raw.ndjson.gz"), 16) > worker_bytes(ranges(3 * GB), 16)


@given(st.integers(1, 10**14), st.integers(1, 9999), st.integers(2 * READING_BYTES + GB, 10**12))
def test_advice_is_given_where_a_bucket_does_not_fit_and_then_it_does(size: int, buckets: int, memory: int) -> None:
    told = advice(ranges(size), buckets, memory)
    assert (told is None) == (worker_bytes(ranges(size), buckets) <= memory)
    if told is not None:
        fitting = int(told.rpartition(" ")[2])
        assert fitting == 9999 or worker_bytes(ranges(size), fitting) <= memory / 2 + 1


def test_advice_is_one_line() -> None:
    assert advice(ranges(300 * GB), 16, 8 * GB) == (
        "--buckets 16: a bucket of this input takes about 15.5 GB of memory, and there are 8.0 GB; give the input in "
        "parts, or begin another --output with --buckets 70"
    )


@pytest.mark.parametrize(
    ("size_bytes", "buckets"),
    [(0, 1), (27 * 10**6, 1), (268_435_456, 1), (268_435_457, 2), (810 * 10**6, 4), (24 * 10**8, 16), (10**15, 8192)],
)
def test_buckets_grow_with_the_input(size_bytes: int, buckets: int) -> None:
    assert fitting_buckets(ranges(size_bytes)) == buckets


@given(st.integers(1, 10**12))
def test_a_bucket_that_grew_takes_a_quarter_of_a_gigabyte_at_most(size_bytes: int) -> None:
    buckets = fitting_buckets(ranges(size_bytes))
    assert buckets.bit_count() == 1
    assert worker_bytes(ranges(size_bytes), buckets) <= READING_BYTES + GB // 4


def test_packed_input_is_counted_as_what_it_holds() -> None:
    assert fitting_buckets(ranges(GB, "raw.ndjson.gz")) > fitting_buckets(ranges(GB))


@pytest.mark.parametrize("size_bytes", [0, 1])
def test_nothing_needs_what_reading_needs(size_bytes: int) -> None:
    assert worker_bytes(ranges(size_bytes), 16) == READING_BYTES
