"""Parquet modular encryption: columns that only a role's private key opens.

Each column's data key is sealed with HPKE to the public keys of the roles that
may read it; the plain footer's key to every such role. Workers hold public
keys only and cannot read what they wrote. Readers without any key still read
the plain columns.
"""

import base64
import json
from collections import defaultdict
from typing import Any

import pyarrow.parquet.encryption as pe

from schemas.errors import KeyUnavailable
from schemas.registry import Schema
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.step_keys import RoleKeys

_FOOTER = "footer"


class _SealingKms(pe.KmsClient):
    """Wraps data keys for a file's month; cannot unwrap."""

    def __init__(self, keys: RoleKeys, roles: list[str]) -> None:
        pe.KmsClient.__init__(self)
        self._keys = keys
        self._roles = roles

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        """The data key sealed to each role that may open it, as JSON text."""
        name, _, key_id = master_key_identifier.partition("@")
        roles = self._roles if name == _FOOTER else [name]
        sealed = {r: self._keys.seal(r, key_id, key_bytes) for r in roles}
        return json.dumps({r: base64.b64encode(s).decode() for r, s in sealed.items()})

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:  # noqa: ARG002
        """Never: workers write what they cannot read."""
        raise PermissionError(f"no private key for {master_key_identifier}")


class _OpeningKms(pe.KmsClient):
    """Unwraps data keys with one role's private keys."""

    def __init__(self, keys: PrivateKeys) -> None:
        pe.KmsClient.__init__(self)
        self._keys = keys

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:  # noqa: ARG002
        """Never: readers do not write."""
        raise PermissionError(f"a reader does not wrap keys: {master_key_identifier}")

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """The data key; PermissionError where this role may not read the column."""
        sealed = json.loads(wrapped_key).get(self._keys.role)
        key_id = master_key_identifier.partition("@")[2]
        if sealed is None:
            raise PermissionError(f"role {self._keys.role} may not read what {master_key_identifier} protects")
        try:
            return self._keys.open(key_id, base64.b64decode(sealed))
        except KeyUnavailable as cause:
            raise PermissionError(str(cause)) from None


def columns_by_role(schema: Schema) -> dict[str, list[str]]:
    """Role -> the columns it may read; empty where a dataset has no encrypted column."""
    columns = defaultdict(list)
    for f in schema.fields:
        if f.role:
            columns[f.role].append(f.name)
    return dict(columns)


def encryption_properties(schema: Schema, keys: RoleKeys, month: str) -> Any:
    """What a Parquet writer needs for a file of a month; None where nothing is encrypted.

    Raises KeyUnavailable where a role has no public key for the month.
    """
    by_role = columns_by_role(schema)
    if not by_role:
        return None
    for role in by_role:
        keys.check(role, month)
    configuration = pe.EncryptionConfiguration(
        footer_key=f"{_FOOTER}@{month}",
        column_keys={f"{role}@{month}": columns for role, columns in by_role.items()},
        encryption_algorithm="AES_GCM_V1",
        plaintext_footer=True,
        double_wrapping=False,
        data_key_length_bits=256,
    )
    factory = pe.CryptoFactory(lambda _: _SealingKms(keys, list(by_role)))
    return factory.file_encryption_properties(pe.KmsConnectionConfig(), configuration)


def decryption_properties(keys: PrivateKeys) -> Any:
    """What a Parquet reader needs to read a role's columns."""
    factory = pe.CryptoFactory(lambda _: _OpeningKms(keys))
    return factory.file_decryption_properties(pe.KmsConnectionConfig())
