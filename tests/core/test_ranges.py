"""Ranges: each has a digest of its own, which another version of the file does not share."""

import string

from hypothesis import given
from hypothesis import strategies as st

from transforms.core.ranges import Range

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
