"""Readers' private keys: what reads code and quarantined payloads. No job that writes datasets opens them."""

import base64
from typing import Any

from schemas.errors import KeyUnavailable
from transforms.core import storage
from transforms.core.keys.documents import (
    Unsound,
    check_distinct,
    key_of,
    key_text,
    key_texts,
    keys_of,
    months_of,
    read_document,
    signature_of,
    write_document,
)
from transforms.core.keys.in_process import InProcess
from transforms.core.keys.keyring import HOW_TO_CREATE
from transforms.core.keys.recipients import open_as
from transforms.core.keys.roles import OPERATORS, ROLES, STANDING, holder_of, is_reader
from transforms.core.keys.wrapping import Envelope, opened
from transforms.core.storage.secret_files import read_secret

_ONE = frozenset(("role", "private_keys"))
_MEMBERS = {1: _ONE, 2: _ONE | {"reader", "receipt_key", "forgotten"}}


class PrivateKeys(InProcess):
    """One reader's private keys in a role by key id, as read from her own file.

    `receipt_key` signs what she says of months that she forgot, and `forgotten` holds these signatures by month. A
    file of version 1 has neither, and its reader bears the role's name.
    """

    def __init__(
        self,
        role: str,
        keys: dict[str, bytes],
        reader: str | None = None,
        receipt_key: bytes | None = None,
        forgotten: dict[str, bytes] | None = None,
        envelope: Envelope | None = None,
    ) -> None:
        self.role = role
        self.keys = keys
        self.reader = reader or role
        self.receipt_key = receipt_key
        self.forgotten = forgotten or {}
        self.envelope = envelope

    @property
    def holder(self) -> str:
        """The name under which something is sealed to this reader."""
        return holder_of(self.role, self.reader)

    def open(self, key_id: str, sealed: bytes, place: str = "") -> bytes:
        """What was sealed to this reader under a key id, for a file's place where one is given.

        Raises KeyUnavailable without that key, or where it was sealed for another place.
        """
        if key_id not in self.keys:
            raise KeyUnavailable(
                f"the {self.holder} key of {key_id} is not in the key file (destroyed, or never given)"
            )
        return open_as(self.holder, key_id, self.keys[key_id], sealed, place)


def dump_private(keys: PrivateKeys) -> bytes:
    """The content of a reader's key file, wrapped as it was."""
    document = write_document(
        2,
        role=keys.role,
        reader=keys.reader,
        private_keys=key_texts(keys.keys),
        receipt_key=None if keys.receipt_key is None else key_text(keys.receipt_key),
        forgotten={month: base64.b64encode(signature).decode() for month, signature in sorted(keys.forgotten.items())},
    )
    return document if keys.envelope is None else keys.envelope.seal(document)


def load_private(path: str) -> PrivateKeys:
    """A reader's key file; raises KeyUnavailable where there is none, it is not sound, or others may write it."""
    if not storage.exists(path):
        raise KeyUnavailable(f"no role key file at {path}: {HOW_TO_CREATE}")
    try:
        document, envelope = opened(read_secret(path, "role key file"))
        keys = _private_of(*read_document(document, _MEMBERS))
        keys.envelope = envelope
        return keys
    except Unsound as found:
        raise KeyUnavailable(f"{path} is not a role key file: {found}") from None


def _private_of(version: int, document: dict[str, Any]) -> PrivateKeys:
    role = document["role"]
    if role not in ROLES:
        raise Unsound(f"of no role; roles are {', '.join(ROLES)}")
    keys = keys_of(document["private_keys"], "private_keys", STANDING if role == OPERATORS else None)
    found = PrivateKeys(role, keys)
    if version > 1:
        if not isinstance(document["reader"], str) or not is_reader(document["reader"]):
            raise Unsound("of no reader")
        found.reader = document["reader"]
        receipt_key = document["receipt_key"]
        found.receipt_key = None if receipt_key is None else key_of(receipt_key, "receipt_key")
        found.forgotten = _signatures_of(document["forgotten"])
    check_distinct({**keys, **({} if found.receipt_key is None else {"receipt_key": found.receipt_key})})
    return found


def _signatures_of(value: object) -> dict[str, bytes]:
    if not isinstance(value, dict):
        raise Unsound("forgotten is no object of signatures")
    months_of([*value], "forgotten")
    return {month: signature_of(signature, f"forgotten.{month}") for month, signature in value.items()}
