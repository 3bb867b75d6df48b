"""Readers by name: sealed to in their months alone, kept in the ring as they were, refused where they are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import KeyUnavailable
from transforms.core.keys import keyring
from transforms.core.keys.documents import Unsound
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.readers import Reader, own_readers, readers_of, readers_text
from transforms.core.keys.roles import OPERATORS, ROLES, check_reader, holder_of
from transforms.core.keys.seal import generate_secret
from transforms.core.keys.step_keys import step_keys_of

MONTHS = [f"2026-{month:02d}" for month in range(1, 13)]
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,39}", fullmatch=True)


def with_alice(since: str | None, until: str | None) -> tuple[KeyRing, dict[str, PrivateKeys]]:
    """A ring of a year in which alice reads completions, too; private keys by holder."""
    ring, _ = keyring.create()
    ring.readers["completions"]["alice"] = Reader(receipt_key=generate_secret(), since=since, until=until)
    private = {h: PrivateKeys("completions", {}, h.rpartition("/")[2]) for h in ("completions", "completions/alice")}
    private["prompts"] = PrivateKeys("prompts", {})
    for month in MONTHS:
        for holder, key in ring.add_month(month).items():
            private[holder].keys[month] = key
    return ring, private


@given(since=st.none() | st.sampled_from(MONTHS), until=st.none() | st.sampled_from(MONTHS))
def test_a_reader_is_sealed_to_in_her_months_alone(since: str | None, until: str | None) -> None:
    ring, private = with_alice(since, until)
    roles = step_keys_of(keyring.parse(keyring.dumps(ring), "")).roles
    for month in MONTHS:
        hers = (since or "") <= month and (until is None or month < until)
        assert roles.holders("prompts", month) == ["prompts"]
        assert roles.holders("completions", month) == ["completions", *(["completions/alice"] if hers else [])]
        for holder in roles.holders("completions", month):
            sealed = roles.seal("completions", month, b"code", holder)
            assert private[holder].open(month, sealed) == b"code"
            (other,) = {"completions", "completions/alice"} - {holder}
            with pytest.raises(KeyUnavailable):
                private[other].open(month, sealed)
        if not hers:
            with pytest.raises(KeyUnavailable, match=f"no public key of completions/alice for {month}"):
                roles.seal("completions", month, b"code", "completions/alice")


def test_a_reader_who_was_removed_is_not_sealed_to_though_her_key_stays() -> None:
    """Something was sealed to it before she was removed: whoever destroys the month must ask her."""
    ring, _ = with_alice(None, None)
    ring.readers["completions"]["alice"].until = "2026-06"
    again = keyring.parse(keyring.dumps(ring), "")
    assert again.public_keys["completions"]["alice"]["2026-06"]
    assert step_keys_of(again).roles.holders("completions", "2026-06") == ["completions"]


def test_a_role_without_a_reader_is_no_role() -> None:
    ring, _ = with_alice(None, None)
    ring.readers["prompts"]["prompts"].until = "2026-06"
    with pytest.raises(KeyUnavailable, match="readers of prompts and the months do not fit: 2026-06"):
        keyring.parse(keyring.dumps(ring), "")
    before = keyring.dumps(ring)
    with pytest.raises(KeyUnavailable, match="role prompts has no reader in 2027-01"):
        ring.add_month("2027-01")
    assert keyring.dumps(ring) == before


@given(NAMES, st.sampled_from(ROLES))
def test_readers_are_read_as_they_were_written(name: str, role: str) -> None:
    readers = own_readers()
    readers[role][name] = Reader(receipt_key=generate_secret(), since="2026-03", until=None)
    again = readers_of(readers_text(readers))
    assert again == readers
    assert f"{again[role][name]}" == "Reader()"


@given(NAMES, NAMES)
def test_no_two_holders_have_one_name(first: str, second: str) -> None:
    holders = [holder_of(role, name) for role in ROLES for name in {*ROLES, first, second}]
    assert len({*holders}) == len(holders)


@pytest.mark.parametrize("name", ["", "2026-03", "Alice", "a/b", "a.b", "a@b", "é", "a" * 41, "-a", "a\n"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(KeyUnavailable, match=r"^reader .*: allowed are a to z"):
        check_reader(name)
    text = readers_text(own_readers())
    text[OPERATORS][name] = text[OPERATORS][OPERATORS]
    with pytest.raises(Unsound, match="is no object of readers"):
        readers_of(text)
