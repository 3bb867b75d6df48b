"""Known answers for every primitive, each with its source, and what sealing promises."""

import hashlib
import hmac
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import KeyUnavailable
from transforms.core.keys.pseudonyms import Pseudonymizer, domain_key
from transforms.core.keys.seal import PieceSealer, generate_key_pair, open_sealed, seal_to


def labeled_extract(suite: bytes, salt: bytes, label: bytes, key: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + key, "sha256")


def labeled_expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    text = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + text + bytes([counter]), "sha256")
        out, counter = out + block, counter + 1
    return out[:length]


def hpke_open(private: bytes, sealed: bytes, info: bytes, aad: bytes, aead_id: int, key_bytes: int) -> bytes:
    """RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-GCM: written from the RFC's
    section 4 and 5 as a second opinion on the library."""
    kem = b"KEM" + (0x20).to_bytes(2, "big")
    suite = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (0x20, 1, aead_id))
    enc, ciphertext = sealed[:32], sealed[32:]
    key = X25519PrivateKey.from_private_bytes(private)
    dh = key.exchange(X25519PublicKey.from_public_bytes(enc))
    prk = labeled_extract(kem, b"", b"eae_prk", dh)
    shared = labeled_expand(kem, prk, b"shared_secret", enc + key.public_key().public_bytes_raw(), 32)
    context = b"\0" + labeled_extract(suite, b"", b"psk_id_hash", b"") + labeled_extract(suite, b"", b"info_hash", info)
    secret = labeled_extract(suite, shared, b"secret", b"")
    aead_key = labeled_expand(suite, secret, b"key", context, key_bytes)
    nonce = labeled_expand(suite, secret, b"base_nonce", context, 12)
    return AESGCM(aead_key).decrypt(nonce, ciphertext, aad)


def test_second_opinion_gives_the_answer_of_rfc_9180_appendix_a_1_1() -> None:
    plain = hpke_open(
        private=bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"),
        sealed=bytes.fromhex(
            "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
            "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
        ),
        info=bytes.fromhex("4f6465206f6e2061204772656369616e2055726e"),
        aad=bytes.fromhex("436f756e742d30"),
        aead_id=1,
        key_bytes=16,
    )
    assert plain == b"Beauty is truth, truth beauty"


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_what_is_sealed_to_a_role_opens_by_the_second_opinion_too(plain: bytes, info: bytes) -> None:
    private, public = generate_key_pair()
    sealed = seal_to(public, plain, info)
    assert open_sealed(private, sealed, info) == plain
    assert hpke_open(private, sealed, info, b"", aead_id=2, key_bytes=32) == plain


def test_hmac_sha256_rfc_4231_case_2() -> None:
    answer = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac.digest(b"Jefe", b"what do ya want for nothing?", "sha256").hex() == answer


def test_hkdf_sha256_rfc_5869_case_3() -> None:
    okm = HKDF(SHA256(), 42, None, b"").derive(b"\x0b" * 22)
    assert okm.hex() == ("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")


def test_pseudonym_is_hmac_under_the_domains_key() -> None:
    key = domain_key(b"s" * 32, "installation")
    expected = hmac.new(key, b"machine", hashlib.sha256).digest()[:16]
    assert Pseudonymizer(key).of("machine") == expected


def test_aes_256_gcm_known_answer_of_the_gcm_specification_case_16() -> None:
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    sealed = AESGCM(key).encrypt(bytes.fromhex("cafebabefacedbaddecaf888"), plain, aad)
    assert sealed.hex() == (
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )


@given(st.binary(max_size=500), st.binary(max_size=20))
def test_pieces_open_only_with_their_key_and_context(plain: bytes, context: bytes) -> None:
    sealer = PieceSealer(b"k" * 32)
    sealed = sealer.seal(plain, context)
    assert sealer.unseal(sealed, context) == plain
    assert sealed != sealer.seal(plain, context)
    for other, where in ((PieceSealer(b"x" * 32), context), (sealer, context + b"1")):
        with pytest.raises(KeyUnavailable):
            other.unseal(sealed, where)
    with pytest.raises(KeyUnavailable):
        sealer.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), context)


def test_wrong_private_key_is_a_clear_error() -> None:
    sealed = seal_to(generate_key_pair()[1], b"code", b"")
    with pytest.raises(KeyUnavailable, match="does not open"):
        open_sealed(generate_key_pair()[0], sealed, b"")


def test_keys_refuse_to_be_pickled(ring: object) -> None:
    for holder in (ring, PieceSealer(b"k" * 32), Pseudonymizer(b"k" * 32)):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(holder)
