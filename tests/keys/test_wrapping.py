"""Wrapped key files: worthless alone, the same keys with the wrapping key, whoever holds it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import KeyUnavailable
from tests.support.wrapping import age_identity, secrets_of
from transforms.core.keys import keyring, wrapping_keys
from transforms.core.keys.documents import Unsound
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.private_keys import PrivateKeys, dump_private, load_private
from transforms.core.keys.seal import generate_secret
from transforms.core.keys.wrapping import Envelope, new_envelope, opened


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = age_identity(tmp_path / "age.txt")
    monkeypatch.setenv(wrapping_keys.VARIABLE, path)
    return path


def ring_of() -> KeyRing:
    ring, _ = keyring.create()
    ring.add_month("2026-03")
    return ring


@given(st.binary(max_size=300), st.text(max_size=30))
def test_an_envelope_opens_what_it_sealed_and_nothing_else(document: bytes, wrapped_key: str) -> None:
    envelope = Envelope(wrapped_key, generate_secret())
    sealed = json.loads(envelope.seal(document))["document"]
    assert envelope.open(sealed) == document
    for other in (Envelope(wrapped_key, generate_secret()), Envelope(wrapped_key + "x", envelope.data_key)):
        with pytest.raises(Unsound, match="damaged"):
            other.open(sealed)


def test_a_wrapped_ring_is_the_same_ring_and_stays_wrapped(identity: str, tmp_path: Path) -> None:
    ring = ring_of()
    ring.envelope = new_envelope(identity)
    data = keyring.dumps(ring)
    assert not secrets_of(ring, data)
    assert keyring.parse(data, "") == ring
    rotated = keyring.parse(data, "")
    rotated.add_month("2026-04")
    again = keyring.dumps(keyring.next_edition(rotated))
    assert not secrets_of(rotated, again)
    assert keyring.parse(again, "") == rotated
    keys = PrivateKeys("prompts", {"2026-03": generate_secret()}, envelope=new_envelope(identity))
    (tmp_path / "prompts.json").write_bytes(dump_private(keys))
    (tmp_path / "prompts.json").chmod(0o600)
    assert load_private(str(tmp_path / "prompts.json")).keys == keys.keys


def test_the_file_alone_is_worthless(identity: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = ring_of()
    ring.envelope = new_envelope(identity)
    data = keyring.dumps(ring)
    monkeypatch.delenv(wrapping_keys.VARIABLE)
    with pytest.raises(KeyUnavailable, match="this key file is wrapped: --wrapping_key, or the environment variable"):
        keyring.parse(data, "")
    monkeypatch.setenv(wrapping_keys.VARIABLE, age_identity(tmp_path / "other.txt"))
    with pytest.raises(KeyUnavailable, match=r"other.txt does not open this file: it was wrapped by another"):
        keyring.parse(data, "")


def test_a_ring_that_is_not_wrapped_needs_no_key_though_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(wrapping_keys.VARIABLE, "/nowhere/age.txt")
    ring = ring_of()
    assert keyring.parse(keyring.dumps(ring), "") == ring


@pytest.mark.parametrize(
    "change",
    [{"document": 7}, {"document": ""}, {"document": "é"}, {"wrapped_key": None}, {"version": 2}, {"more": 1}],
    ids=str,
)
def test_what_is_damaged_is_one_line(identity: str, change: dict) -> None:
    ring = ring_of()
    ring.envelope = new_envelope(identity)
    data = json.dumps(json.loads(keyring.dumps(ring)) | change).encode()
    with pytest.raises(KeyUnavailable, match=r"^/r/ring.json is not a key ring: ") as told:
        keyring.parse(data, "/r")
    assert "\n" not in str(told.value)


def test_a_document_of_one_file_does_not_open_in_the_envelope_of_another(identity: str) -> None:
    first, second = ring_of(), ring_of()
    first.envelope, second.envelope = new_envelope(identity), new_envelope(identity)
    mixed = {**json.loads(keyring.dumps(first)), "document": json.loads(keyring.dumps(second))["document"]}
    with pytest.raises(Unsound, match="damaged"):
        opened(json.dumps(mixed).encode())
