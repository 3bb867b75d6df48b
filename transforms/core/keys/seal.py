"""Sealing: AES-256-GCM for pieces in flight, HPKE (RFC 9180) for what workers must not read.

With `signing.py` and `pseudonyms.py` the only user of `cryptography`.
"""

import os
import secrets

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from schemas.errors import KeyUnavailable
from transforms.core.keys.in_process import InProcess

_NONCE_BYTES = 12
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

_SIGN = 1 << 255  # not looked at by X25519
_FIELD = _SIGN - 19
_LOW_ORDER = frozenset((
    0, 1, _FIELD - 1, _FIELD, _FIELD + 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
))  # fmt: skip


class PieceSealer(InProcess):
    """Seals what crosses a shuffle: zstd, then AES-256-GCM under a key of the ring's transport secret.

    The context (bucket and contract) is bound as associated data: a piece that
    turns up in another bucket, or under another contract, does not open.
    """

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._compressor = zstandard.ZstdCompressor(level=1)
        self._decompressor = zstandard.ZstdDecompressor()

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Nonce, ciphertext and tag; never the same bytes twice."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, self._compressor.compress(plain), context)

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed; raises KeyUnavailable under another key or context."""
        try:
            plain = self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError):  # a nonce that is cut short is a ValueError
            raise KeyUnavailable("a sealed piece does not open with this key ring") from None
        return self._decompressor.decompress(plain)


def generate_secret() -> bytes:
    """A fresh 256-bit key."""
    return secrets.token_bytes(32)


def generate_key_pair() -> tuple[bytes, bytes]:
    """A fresh X25519 pair as raw bytes: private, public."""
    private = X25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def public_half(private_key: bytes) -> bytes:
    """The public key of a private one of X25519."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def is_sound_public_key(key: bytes) -> bool:
    """False for the few points of X25519 with which every exchange gives the same secret, known to everybody."""
    return int.from_bytes(key, "little") & (_SIGN - 1) not in _LOW_ORDER


def seal_to(public_key: bytes, plain: bytes, info: bytes) -> bytes:
    """Seals to a role: X25519, HKDF-SHA256, AES-256-GCM, base mode; only its private key opens it."""
    return _SUITE.encrypt(plain, X25519PublicKey.from_public_bytes(public_key), info)


def open_sealed(private_key: bytes, sealed: bytes, info: bytes) -> bytes:
    """The inverse of `seal_to`; raises KeyUnavailable with another key, info or altered bytes."""
    try:
        return _SUITE.decrypt(sealed, X25519PrivateKey.from_private_bytes(private_key), info)
    except (InvalidTag, ValueError):
        raise KeyUnavailable("this private key does not open the data") from None
