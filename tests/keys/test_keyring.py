"""The ring as a whole: written and read, extended, told apart from others without telling a key."""

from itertools import pairwise
from pathlib import Path

import pytest

from pipelines import keys
from pipelines.keeping.months import distance, months_from
from schemas.errors import InvalidOptions, KeyUnavailable
from transforms.core.keys import keyring
from transforms.core.keys.documents import key_text
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.private_keys import PrivateKeys, dump_private, load_private
from transforms.core.keys.roles import OPERATORS, ROLES, STANDING
from transforms.core.keys.seal import generate_key_pair
from transforms.core.keys.step_keys import step_keys_of


def made(*months: str) -> tuple[KeyRing, dict[str, PrivateKeys]]:
    """A ring of these months and the roles' private keys."""
    ring, operators = keyring.create()
    private = {role: PrivateKeys(role, {}) for role in ROLES}
    private[OPERATORS].keys[STANDING] = operators
    for month in months:
        for role, key in ring.add_month(month).items():
            private[role].keys[month] = key
    return ring, private


def test_a_ring_is_read_as_it_was_written() -> None:
    for months in ((), ("2026-03",), ("2026-04", "2026-03", "2025-12")):
        ring, _ = made(*months)
        ring.destroyed = ["2024-02", "2024-01"]
        again = keyring.parse(keyring.dumps(ring), "somewhere")
        assert (again.entries, again.edition, sorted(again.destroyed)) == (ring.entries, 1, sorted(ring.destroyed))
        assert keyring.dumps(again) == keyring.dumps(ring)


def test_every_key_that_is_made_is_another_one_and_none_is_private() -> None:
    ring, private = made("2026-03", "2026-04")
    other, _ = made("2026-03", "2026-04")
    everything = [
        *ring.entries.values(),
        *other.entries.values(),
        *(k for p in private.values() for k in p.keys.values()),
    ]
    assert len({*everything}) == len(everything) == 2 * (3 + 2 + 5) + 5
    text = keyring.dumps(ring).decode()
    assert not any(key_text(key) in text for keys_ in private.values() for key in keys_.keys.values())


def test_a_months_private_key_opens_what_its_public_key_sealed_and_nothing_else_does() -> None:
    ring, private = made("2026-03", "2026-04")
    roles = step_keys_of(ring).roles
    sealed = {(r, m): roles.seal(r, m, b"code") for r in ("prompts", "completions") for m in ring.epochs}
    for (role, month), data in sealed.items():
        assert private[role].open(month, data) == b"code"
        for (other_role, other_month), other in sealed.items():
            if (other_role, other_month) != (role, month):
                with pytest.raises(KeyUnavailable, match="does not open"):
                    private[role].open(month, other)
    body = step_keys_of(ring).quarantine.seal(b"payload")
    assert private[OPERATORS].open(STANDING, body) == b"payload"
    with pytest.raises(KeyUnavailable, match=r"the prompts key of 2026-05 is not in the key file"):
        private["prompts"].open("2026-05", sealed["prompts", "2026-03"])
    with pytest.raises(KeyUnavailable, match="no public key of role operators for standing"):
        roles.seal(OPERATORS, STANDING, b"payload")
    with pytest.raises(KeyUnavailable, match="no public key of role strangers for 2026-03"):
        roles.seal("strangers", "2026-03", b"x")


def test_a_key_sealed_under_another_name_does_not_open() -> None:
    """Role and month are bound to what is sealed: the same private key under another name is of no use."""
    ring, private = made("2026-03", "2026-04")
    sealed = step_keys_of(ring).roles.seal("prompts", "2026-03", b"code")
    key = private["prompts"].keys["2026-03"]
    for role, month in (("completions", "2026-03"), ("prompts", "2026-04")):
        with pytest.raises(KeyUnavailable, match="does not open"):
            PrivateKeys(role, {month: key}).open(month, sealed)


def test_check_values_tell_rings_and_entries_apart() -> None:
    ring, _ = made("2026-03", "2026-04")
    other, _ = made("2026-03", "2026-04")
    checks = ring.entry_checks
    assert {*checks} == {*ring.entries}
    assert len({*checks.values()}) == len(checks)
    assert ring.check_value != other.check_value
    assert not {*checks.values()} & {*other.entry_checks.values()}
    before = ring.check_value
    ring.add_month("2026-05")
    assert ring.check_value == before
    assert {place: check for place, check in ring.entry_checks.items() if place in checks} == checks
    ring.epochs["2026-03"], ring.epochs["2026-04"] = ring.epochs["2026-04"], ring.epochs["2026-03"]
    changed = {place for place, check in ring.entry_checks.items() if checks.get(place, check) != check}
    assert changed == {"epochs.2026-03", "epochs.2026-04"}


def test_nothing_of_a_ring_is_shown() -> None:
    ring, private = made("2026-03")
    for shown in (f"{ring} {ring!r}", f"{private['prompts']} {private['prompts']!r}"):
        assert "2026" not in shown
        assert "b'" not in shown


def test_a_role_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    _, private = made("2026-04", "2026-03")
    for role, held in private.items():
        path = tmp_path / f"{role}.json"
        path.write_bytes(dump_private(held))
        path.chmod(0o600)
        again = load_private(str(path))
        assert (again.role, again.keys) == (role, held.keys)
    with pytest.raises(KeyUnavailable, match="no role key file at"):
        load_private(str(tmp_path / "none.json"))


def test_months_that_follow_each_other() -> None:
    months = months_from("2025-11", 600)
    assert months[:3] == ["2025-11", "2025-12", "2026-01"]
    assert len({*months}) == 600
    for before, after in pairwise(months):
        assert distance(before, after) == 1
        assert before < after


def test_a_month_is_added_once_and_only_a_month() -> None:
    ring, _ = keyring.create()
    for text in ("2026-13", "0000-01", "2026", ""):
        with pytest.raises(KeyUnavailable, match="YYYY-MM"):
            ring.add_month(text)
    assert not ring.epochs
    assert not any(ring.public_keys[role][role] for role in ROLES if role != OPERATORS)


@pytest.mark.parametrize("through", ["9999-12", "2126-04"])
def test_rotate_never_makes_a_ring_that_no_step_would_read(tmp_path: Path, through: str) -> None:
    """A slip of the finger in the year would add months by the ten thousand, and the ring outgrow what is read."""
    folder = str(tmp_path / "ring")
    keys.create(folder, "2026-03", 1)
    before = (tmp_path / "ring" / "ring.json").read_bytes()
    with pytest.raises(
        InvalidOptions, match=f"--through {through}: .* months more than the ring has; allowed are 1200"
    ):
        keys.main(["rotate", f"--key_ring={folder}", f"--through={through}"])
    assert (tmp_path / "ring" / "ring.json").read_bytes() == before


def test_a_pair_of_keys_is_a_pair() -> None:
    from transforms.core.keys.seal import open_sealed, seal_to

    private, public = generate_key_pair()
    assert open_sealed(private, seal_to(public, b"x", b"info"), b"info") == b"x"
