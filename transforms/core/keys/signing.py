"""Signatures: Ed25519 (RFC 8032). Who has the public half alone can check them, offline."""

from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from transforms.core.keys.in_process import InProcess


class Signer(InProcess):
    """Signs bytes with one private key, which does not leave this process.

    `retired` are public keys whose place it has taken.
    """

    __slots__ = ("_private", "public_key", "retired")

    def __init__(self, private_key: bytes, retired: Iterable[bytes] = ()) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(private_key)
        self.public_key = self._private.public_key().public_bytes_raw()
        """32 bytes that anybody may have."""
        self.retired = frozenset(retired)

    def sign(self, data: bytes) -> bytes:
        """64 bytes; the same for the same data."""
        return self._private.sign(data)


def verify_signature(public_key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether the holder of the public key's private half signed exactly this data; False for what is no key."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
