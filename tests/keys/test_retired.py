"""Retired signing keys in the ring: their public halves, and nothing that signs."""

import json

import pytest

from schemas.errors import KeyUnavailable
from transforms.core.keys import keyring
from transforms.core.keys.documents import Unsound, key_text
from transforms.core.keys.retired import LEAKED, ROUTINE, retire, retired_of, retired_text
from transforms.core.keys.seal import generate_secret
from transforms.core.keys.signing import Signer


def test_retired_keys_are_read_as_they_were_written_and_only_their_public_halves() -> None:
    ring, _ = keyring.create()
    assert ring.signing
    secrets = []
    for reason in (ROUTINE, LEAKED):
        assert ring.signer
        secrets.append(ring.signing)
        ring.retired.append(retire(ring.signer.public_key, reason))
        ring.signing = generate_secret()
    data = keyring.dumps(ring)
    assert json.loads(data)["version"] == 3
    again = keyring.parse(data, "somewhere")
    assert again.retired == ring.retired
    assert [key.reason for key in again.retired] == [ROUTINE, LEAKED]
    assert not any(key_text(secret).encode() in data for secret in secrets)
    assert again.signer
    assert again.signer.retired == {Signer(secret).public_key for secret in secrets}


def test_a_ring_without_any_is_written_as_before() -> None:
    ring, _ = keyring.create()
    assert json.loads(keyring.dumps(ring))["version"] == 2


def test_the_key_that_signs_is_not_among_them() -> None:
    ring, _ = keyring.create()
    assert ring.signer
    ring.retired.append(retire(ring.signer.public_key, ROUTINE))
    with pytest.raises(KeyUnavailable, match="are the same key"):
        keyring.parse(keyring.dumps(ring), "somewhere")


GOOD = retired_text([retire(b"a" * 31 + b"b", LEAKED)])[0]


@pytest.mark.parametrize(
    "value",
    [None, {}, [7], [{}], [{**GOOD, "more": 1}], [{**GOOD, "reason": "bored"}], [{**GOOD, "public_key": "AAAA"}],
     [{**GOOD, "retired_at": "yesterday"}], [{**GOOD, "retired_at": "2026-03-29"}], [{**GOOD, "retired_at": 7}]],
)  # fmt: skip
def test_anything_else_is_unsound(value: object) -> None:
    assert retired_of([GOOD])
    with pytest.raises(Unsound):
        retired_of(value)
