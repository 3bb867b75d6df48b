"""Blocks: the identity of a part that cannot be read is its own and stays the same."""

from hypothesis import given
from hypothesis import strategies as st

from transforms.core.blocks import Block, RawRequest, part_of_file

PATHS = (
    st.binary(min_size=1, max_size=20)
    .filter(lambda b: b"\0" not in b)
    .map(lambda b: b.decode(errors="surrogateescape"))
)
PARTS = st.tuples(PATHS, st.lists(st.integers(0, 2**63), max_size=2))


@given(PARTS, PARTS)
def test_two_parts_have_one_identity_only_if_they_are_the_same(one: tuple, other: tuple) -> None:
    identities = [part_of_file(path, *offsets) for path, offsets in (one, other)]
    assert (identities[0] == identities[1]) == (one == other)


def test_blocks_share_no_lists() -> None:
    one, other = Block(), Block()
    one.lines.append(b"x")
    one.taken.append(("0", 0, 1))  # type: ignore[arg-type]
    assert other == Block()


def test_a_request_has_a_stamp_unless_it_says_that_it_has_none() -> None:
    assert RawRequest("2026-03-29T10:00:00+00:00", None, None, None, None, None, b"").is_stamped
