"""Each step's part of a ring does what the whole ring would do, for what it is for, and nothing else."""

import pickle
from dataclasses import FrozenInstanceError

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import KeyUnavailable
from transforms.core.keys import keyring
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.pseudonyms import CORRELATION_DOMAINS, PERSON_DOMAINS
from transforms.core.keys.roles import OPERATORS, ROLES, STANDING, role_context
from transforms.core.keys.step_keys import StepKeys, step_keys_of

MONTHS = ("2026-03", "2026-04")


@pytest.fixture(scope="module")
def made() -> tuple[KeyRing, StepKeys, dict[str, PrivateKeys]]:
    ring, operators = keyring.create()
    private: dict[str, dict[str, bytes]] = {role: {} for role in ROLES}
    private[OPERATORS][STANDING] = operators
    for month in MONTHS:
        for role, key in ring.add_month(month).items():
            private[role][month] = key
    return ring, step_keys_of(ring), {role: PrivateKeys(role, keys) for role, keys in private.items()}


Made = tuple[KeyRing, StepKeys, dict[str, PrivateKeys]]


def test_pseudonyms_differ_by_domain_and_those_of_persons_by_month(made: Made) -> None:
    keys, text = made[1].pseudonyms, pa.array(["one text"])
    of_persons = [keys.pseudonymizer(d, m).column(text)[0].as_py() for d in PERSON_DOMAINS for m in MONTHS]
    of_ids = [
        keys.id_pseudonymizer(d, has_sender=has_sender).column(text)[0].as_py()
        for d in CORRELATION_DOMAINS
        for has_sender in (True, False)
    ]
    assert len({*of_persons, *of_ids}) == len(of_persons) + len(of_ids) == 18


def test_another_ring_gives_other_pseudonyms_and_buckets(made: Made) -> None:
    other = step_keys_of(keyring.create()[0])
    assert other.pseudonyms.bucketer().of("x") != made[1].pseudonyms.bucketer().of("x")
    assert made[1].pseudonyms.bucketer().of("x") == step_keys_of(made[0]).pseudonyms.bucketer().of("x")


def test_a_month_without_a_key_says_what_to_do(made: Made) -> None:
    with pytest.raises(KeyUnavailable, match=r"no key for epoch 2030-01 \(the ring has 2026-03 to 2026-04\).*rotate"):
        made[1].pseudonyms.pseudonymizer("user", "2030-01")
    ring = KeyRing(bytes(32), bytes(31) + b"1", destroyed=["2026-01"])
    with pytest.raises(KeyUnavailable, match="is gone from the key ring: events received then cannot land"):
        step_keys_of(ring).pseudonyms.pseudonymizer("user", "2026-01")
    with pytest.raises(KeyUnavailable, match="the ring has none"):
        step_keys_of(ring).pseudonyms.pseudonymizer("user", "2026-02")


@pytest.mark.parametrize("role", [r for r in ROLES if r != OPERATORS])
def test_what_is_sealed_to_a_role_opens_for_it_in_its_month_alone(made: Made, role: str) -> None:
    sealed = made[1].roles.seal(role, MONTHS[0], b"code")
    assert made[2][role].open(MONTHS[0], sealed) == b"code"
    with pytest.raises(KeyUnavailable):
        made[2][role].open(MONTHS[1], sealed)
    for other in set(ROLES) - {role, OPERATORS}:
        with pytest.raises(KeyUnavailable):
            made[2][other].open(MONTHS[0], sealed)


def test_who_writes_datasets_has_no_key_of_the_operators_and_who_puts_aside_has_no_other(made: Made) -> None:
    with pytest.raises(KeyUnavailable, match="no public key of role operators"):
        made[1].roles.seal(OPERATORS, STANDING, b"x")
    for role in set(ROLES) - {OPERATORS}:
        with pytest.raises(KeyUnavailable):
            made[1].quarantine.operators.check(role, MONTHS[0])
    assert made[2][OPERATORS].open(STANDING, made[1].quarantine.seal(b"body")) == b"body"


@given(st.binary(max_size=64), st.binary(max_size=16))
def test_pieces_are_opened_by_the_same_ring_alone(plain: bytes, context: bytes) -> None:
    ring, _ = keyring.create()
    keys = step_keys_of(ring)
    assert keys.sealer().unseal(keys.sealer().seal(plain, context), context) == plain
    with pytest.raises(KeyUnavailable):
        step_keys_of(keyring.create()[0]).sealer().unseal(keys.sealer().seal(plain, context), context)


def test_parts_are_frozen_stay_in_the_process_and_show_nothing(made: Made) -> None:
    keys = made[1]
    for part in (keys, keys.pseudonyms, keys.quarantine, keys.roles):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(part)
        assert repr(part) == f"{type(part).__name__}()"
    with pytest.raises(FrozenInstanceError):
        keys.piece_key = b""  # type: ignore[misc]
    with pytest.raises(TypeError):
        keys.pseudonyms.person_keys["2026-03"] = {}  # type: ignore[index]


def test_a_role_and_a_key_id_are_bound_to_what_is_sealed() -> None:
    assert role_context("prompts", "2026-03") == b"prompts@2026-03"
    assert len({role_context(role, month) for role in ROLES for month in MONTHS}) == len(ROLES) * len(MONTHS)
