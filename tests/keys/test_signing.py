"""Ed25519: the answers of RFC 8032, and what a signature promises."""

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import keys
from tests.conftest import DATA, KEY_RING
from transforms.core.keys.open_ring import open_signer
from transforms.core.keys.seal import generate_secret
from transforms.core.keys.signing import Signer, verify_signature

RFC_8032_7_1 = {
    "TEST 1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "TEST 2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "TEST 3": (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "TEST SHA(abc)": (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}


@pytest.mark.parametrize("name", RFC_8032_7_1)
def test_rfc_8032_section_7_1(name: str) -> None:
    secret, public, message, signature = (bytes.fromhex(text) for text in RFC_8032_7_1[name])
    signer = Signer(secret)
    assert signer.public_key == public
    assert signer.sign(message) == signature
    assert verify_signature(public, message, signature)


@given(st.binary(max_size=99), st.data())
def test_what_was_altered_by_one_bit_is_not_signed(data: bytes, draw: st.DataObject) -> None:
    signer = Signer(generate_secret())
    parts = [signer.public_key, data, signer.sign(data)]
    assert verify_signature(*parts)
    part = draw.draw(st.sampled_from([n for n in range(3) if parts[n]]))
    bit = draw.draw(st.integers(0, 8 * len(parts[part]) - 1))
    altered = bytearray(parts[part])
    altered[bit // 8] ^= 1 << bit % 8
    parts[part] = bytes(altered)
    assert not verify_signature(*parts)


@given(st.binary(max_size=70), st.binary(max_size=20), st.binary(max_size=70))
def test_what_is_no_key_or_no_signature_signs_nothing(public: bytes, data: bytes, signature: bytes) -> None:
    assert not verify_signature(public, data, signature)


def test_a_signer_shows_nothing_and_is_not_pickled() -> None:
    signer = Signer(generate_secret())
    assert f"{signer} {signer!r}" == "Signer() Signer()"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(signer)


def test_a_ring_signs_and_one_of_version_1_does_not_until_it_is_rotated(tmp_path: Path) -> None:
    first = open_signer(KEY_RING)
    assert first is not None
    assert verify_signature(first.public_key, b"x", first.sign(b"x"))
    old = tmp_path / "ring"
    old.mkdir()
    (old / "ring.json").write_bytes((DATA / "key_ring_1" / "ring.json").read_bytes())
    (old / "ring.json").chmod(0o600)
    assert open_signer(str(old)) is None
    keys.main(["rotate", f"--key_ring={old}", "--through=2027-12"])
    lifted = open_signer(str(old))
    assert lifted is not None
    assert lifted.public_key != first.public_key
