"""Receipts: a holder says, signed, that a month's private key is gone from her file.

The message names the public half of the key that was forgotten, so that a receipt is of this key ring, this holder and
this month, and of no other. It says what she did to her file. It cannot say that she kept no copy.
"""

import base64
from typing import NamedTuple

from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.keys.documents import Unsound, months_of, read_document, signature_of, write_document
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.roles import holder_of
from transforms.core.keys.seal import public_half
from transforms.core.keys.signing import Signer, verify_signature

_MEMBERS = {1: frozenset(("role", "reader", "month", "signature"))}
_MOST_BYTES = 10_000


class Receipt(NamedTuple):
    """Who forgot which month, and her signature."""

    role: str
    reader: str
    month: str
    signature: bytes

    @property
    def holder(self) -> str:
        """The name of who signed."""
        return holder_of(self.role, self.reader)


def sign_forgotten(keys: PrivateKeys, month: str, receipt_key: bytes) -> bytes:
    """The signature of a holder who still has the month's key and will now forget it."""
    return Signer(receipt_key).sign(_message(keys.holder, month, public_half(keys.keys[month])))


def is_signed(ring: KeyRing, receipt: Receipt) -> bool:
    """Whether this holder signed that she forgot the key which the ring knows as hers."""
    reader = ring.readers.get(receipt.role, {}).get(receipt.reader)
    public_key = ring.public_key_of(receipt.role, receipt.reader, receipt.month)
    if reader is None or reader.receipt_key is None or public_key is None:
        return False
    message = _message(receipt.holder, receipt.month, public_key)
    return verify_signature(reader.receipt_key, message, receipt.signature)


def receipt_bytes(receipt: Receipt) -> bytes:
    """The content of a receipt's file; it holds no key."""
    signature = base64.b64encode(receipt.signature).decode()
    return write_document(1, **{**receipt._asdict(), "signature": signature})


def read_receipt(path: str) -> Receipt:
    """A receipt's file; raises InvalidOptions where it is none."""
    if not storage.exists(path):
        raise InvalidOptions(f"--receipt {path}: no such file")
    try:
        _, found = read_document(storage.read_start(path, _MOST_BYTES), _MEMBERS)
        months_of([found["month"]], "month")
        if not isinstance(found["role"], str) or not isinstance(found["reader"], str):
            raise Unsound("of no reader")
        return Receipt(found["role"], found["reader"], found["month"], signature_of(found["signature"], "signature"))
    except Unsound as cause:
        raise InvalidOptions(f"--receipt {path}: this is no receipt of `keys forget`: {cause}") from None


def _message(holder: str, month: str, public_key: bytes) -> bytes:
    return b"suggestion-telemetry: forgotten\0" + f"{holder}@{month}".encode() + b"\0" + public_key
