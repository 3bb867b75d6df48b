"""Receipts: of this holder, this month and this key ring, or of nothing."""

import json
from pathlib import Path

import pytest

from schemas.errors import InvalidOptions
from tests.keys.test_keyring import made
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.receipts import Receipt, is_signed, read_receipt, receipt_bytes, sign_forgotten
from transforms.core.keys.seal import generate_secret
from transforms.core.keys.signing import Signer

MONTH = "2026-03"
SECRET = generate_secret()


@pytest.fixture(scope="module")
def ring_and_keys() -> tuple[KeyRing, PrivateKeys]:
    ring, private = made(MONTH, "2026-04")
    ring.readers["prompts"]["prompts"].receipt_key = Signer(SECRET).public_key
    ring.readers["completions"]["completions"].receipt_key = Signer(generate_secret()).public_key
    return ring, private["prompts"]


def test_what_the_holder_signed_is_hers_and_of_its_month(ring_and_keys: tuple[KeyRing, PrivateKeys]) -> None:
    ring, keys = ring_and_keys
    receipt = Receipt("prompts", "prompts", MONTH, sign_forgotten(keys, MONTH, SECRET))
    assert is_signed(ring, receipt)
    for other in (
        receipt._replace(role="completions", reader="completions"),
        receipt._replace(reader="alice"),
        receipt._replace(role="strangers"),
        receipt._replace(month="2026-04"),
        receipt._replace(month="2030-01"),
        receipt._replace(signature=bytes(64)),
        receipt._replace(signature=sign_forgotten(keys, MONTH, generate_secret())),
    ):
        assert not is_signed(ring, other)


def test_a_receipt_of_another_ring_is_none_though_the_same_key_signed_it(
    ring_and_keys: tuple[KeyRing, PrivateKeys],
) -> None:
    """The message names the public half of the key that went: a month of the same name elsewhere has another one."""
    other, private = made(MONTH)
    other.readers["prompts"]["prompts"].receipt_key = Signer(SECRET).public_key
    receipt = Receipt("prompts", "prompts", MONTH, sign_forgotten(private["prompts"], MONTH, SECRET))
    assert is_signed(other, receipt)
    assert not is_signed(ring_and_keys[0], receipt)


def test_a_receipt_is_read_as_it_was_written_and_holds_no_key(
    tmp_path: Path, ring_and_keys: tuple[KeyRing, PrivateKeys]
) -> None:
    _, keys = ring_and_keys
    receipt = Receipt("prompts", "prompts", MONTH, sign_forgotten(keys, MONTH, SECRET))
    (tmp_path / "r.json").write_bytes(receipt_bytes(receipt))
    assert read_receipt(str(tmp_path / "r.json")) == receipt
    assert not any(k.hex() in receipt_bytes(receipt).hex() for k in (SECRET, *keys.keys.values()))


@pytest.mark.parametrize(
    "change",
    [
        {"month": "2026-3"},
        {"month": None},
        {"role": 7},
        {"reader": []},
        {"signature": "x"},
        {"more": 1},
        {"version": 2},
    ],
    ids=str,
)
def test_what_is_no_receipt_is_one_line(
    tmp_path: Path, change: dict, ring_and_keys: tuple[KeyRing, PrivateKeys]
) -> None:
    _, keys = ring_and_keys
    path = tmp_path / "r.json"
    whole = json.loads(receipt_bytes(Receipt("prompts", "prompts", MONTH, sign_forgotten(keys, MONTH, SECRET))))
    path.write_text(json.dumps(whole | change))
    with pytest.raises(InvalidOptions, match=r"--receipt .*: this is no receipt of `keys forget`: ") as told:
        read_receipt(str(path))
    assert "\n" not in str(told.value)
    for content in (b"", b"[]", b"\xff", b"{" * 9000):
        path.write_bytes(content)
        with pytest.raises(InvalidOptions, match="this is no receipt"):
            read_receipt(str(path))
    with pytest.raises(InvalidOptions, match="no such file"):
        read_receipt(str(tmp_path / "none.json"))
