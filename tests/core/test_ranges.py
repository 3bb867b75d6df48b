"""Ranges: each has a digest of its own, which another version of the file does not share."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.ranges import Range, shares_of

RANGES = st.builds(
    Range,
    st.sampled_from(["a", "a0", "gs://bucket/a", "\udcff"]),
    st.integers(0, 3),
    st.none() | st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(["", "mtime:1", "mtime:10"]),
)


@given(RANGES, RANGES)
def test_digests_are_equal_only_of_equal_ranges(one: Range, other: Range) -> None:
    assert (one.digest == other.digest) == (one == other)


@given(RANGES)
def test_a_digest_is_sixteen_hex_digits_and_the_same_again(part: Range) -> None:
    assert len(part.digest) == 16
    assert set(part.digest) <= set(string.hexdigits.lower())
    assert Range(*part).digest == part.digest


def test_digests_are_those_that_older_ledgers_hold() -> None:
    """They stand in outputs: another digest would make every older input look unread."""
    assert Range("raw/a.ndjson", 0, 100, 250, "mtime:1774779332.5").digest == "fd00a47ad9426d19"
    assert Range("raw/a.ndjson").digest == "39395abb682805bb"


PARTS = st.lists(
    st.builds(lambda name, size: Range(f"r{name}", 0, None, size), st.integers(0, 99), st.integers(0, 10**10)),
    max_size=60,
)


@given(PARTS, st.integers(1, 64))
def test_every_range_is_in_one_share_and_large_ones_come_first(parts: list[Range], workers: int) -> None:
    shares = shares_of(parts, workers)
    dealt = [part for share in shares for part in share]
    assert sorted(dealt) == sorted(parts)
    assert [p.stored_bytes for p in dealt] == sorted((p.stored_bytes for p in parts), reverse=True)
    assert all(shares)


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("count", [40, 1000])
def test_workers_end_at_about_the_same_time(workers: int, count: int) -> None:
    """Equal ranges, taken by whoever is free: nobody works longer than the others by more than a twentieth."""
    size_bytes = 60 * 1024 * 1024
    free_at = [0.0] * workers
    shares = shares_of(
        [Range("r", n * size_bytes, (n + 1) * size_bytes, count * size_bytes) for n in range(count)], workers
    )
    for share in shares:
        first = min(range(workers), key=free_at.__getitem__)
        free_at[first] += sum(part.stored_bytes for part in share)
    assert max(free_at) <= 1.05 * sum(free_at) / workers + size_bytes
    assert len(shares[0]) >= len(shares[-1]) == 1


def test_small_files_are_read_together() -> None:
    assert len(shares_of([Range(f"r{n}", 0, None, 2000) for n in range(10_000)], 2)) <= 40


@pytest.mark.parametrize(
    ("part", "stored_bytes"),
    [(Range("r", 0, None, 70), 70), (Range("r", 20, 50, 70), 30), (Range("r", 60, 90, 70), 10)],
)
def test_bytes_of_a_range(part: Range, stored_bytes: int) -> None:
    assert part.stored_bytes == stored_bytes
