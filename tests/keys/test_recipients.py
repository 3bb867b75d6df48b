"""One text for several holders: each opens it, nobody else, and nothing of it can be exchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import KeyUnavailable
from transforms.core.keys.recipients import open_as, seal_to_holders
from transforms.core.keys.roles import role_context
from transforms.core.keys.seal import generate_key_pair, seal_to

PAIRS = {holder: generate_key_pair() for holder in ("operators", "operators/alice", "operators/bob")}


@given(st.binary(max_size=200), st.sets(st.sampled_from(sorted(PAIRS)), min_size=1))
def test_each_holder_opens_it_and_no_other(plain: bytes, holders: set[str]) -> None:
    sealed = seal_to_holders({holder: PAIRS[holder][1] for holder in holders}, "standing", plain)
    for holder, (private, _) in PAIRS.items():
        if holder in holders:
            assert open_as(holder, "standing", private, sealed) == plain
            for other, key_id in ((holder, "2026-03"), *((h, "standing") for h in PAIRS if h != holder)):
                with pytest.raises(KeyUnavailable):
                    open_as(other, key_id, private, sealed)
        else:
            with pytest.raises(KeyUnavailable, match=f"{holder} had no key when this was written"):
                open_as(holder, "standing", private, sealed)


@given(st.binary(max_size=200))
def test_what_was_sealed_to_one_holder_before_opens_as_it_did(plain: bytes) -> None:
    private, public = PAIRS["operators"]
    sealed = seal_to(public, plain, role_context("operators", "standing"))
    assert open_as("operators", "standing", private, sealed) == plain


@given(st.data())
def test_a_flipped_bit_is_an_error_and_no_other_text(data: st.DataObject) -> None:
    sealed = seal_to_holders({holder: public for holder, (_, public) in PAIRS.items()}, "standing", b"a body")
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    altered = bytearray(sealed)
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(KeyUnavailable):
        open_as("operators/alice", "standing", PAIRS["operators/alice"][0], bytes(altered))


@given(st.binary(max_size=99), st.integers(0, 99))
def test_what_is_damaged_or_cut_short_is_an_error(more: bytes, length: int) -> None:
    sealed = seal_to_holders({"operators": PAIRS["operators"][1]}, "standing", b"a body")
    for damaged in (sealed[:length], b"\0sealed to several\0" + more):
        with pytest.raises(KeyUnavailable):
            open_as("operators", "standing", PAIRS["operators"][0], damaged)
