"""Parquet modular encryption: columns that only a role's private key opens.

Each column's data key is sealed with HPKE to the public key of each reader of
the role that may read it; the plain footer's key to those of every such role. Workers hold public
keys only and cannot read what they wrote. Readers without any key still read
the plain columns.

What is sealed is bound to the file's place, its path in the output: dataset,
day and name. A file that was put elsewhere does not open there. Parquet has an
AAD prefix for that, which pyarrow 25 does not offer together with keys for
columns, so the place is bound where the data keys are sealed: without them
nothing of the file opens. Files of older versions are bound to their month alone.
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
_DAY = "received_date="
_BOUND = "@bound"
"""Stands beside the holders where the data key is bound to the file's place. Who takes it away gains nothing: what was
sealed for a place does not open without it."""


class _SealingKms(pe.KmsClient):
    """Wraps data keys for a file's month and place; cannot unwrap."""

    def __init__(self, keys: RoleKeys, roles: list[str], place: str) -> None:
        pe.KmsClient.__init__(self)
        self._keys = keys
        self._roles = roles
        self._place = place

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        """The data key sealed to each reader of each role that may open it, as JSON text: holder -> base64."""
        name, _, key_id = master_key_identifier.partition("@")
        roles = self._roles if name == _FOOTER else [name]
        sealed = {
            holder: self._keys.seal(role, key_id, key_bytes, holder, self._place)
            for role in roles
            for holder in self._keys.holders(role, key_id)
        }
        return json.dumps({**{holder: base64.b64encode(s).decode() for holder, s in sealed.items()}, _BOUND: True})

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:  # noqa: ARG002
        """Never: workers write what they cannot read."""
        raise PermissionError(f"no private key for {master_key_identifier}")


class _OpeningKms(pe.KmsClient):
    """Unwraps data keys of the file of one place with one role's private keys."""

    def __init__(self, keys: PrivateKeys, place: str) -> None:
        pe.KmsClient.__init__(self)
        self._keys = keys
        self._place = place

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:  # noqa: ARG002
        """Never: readers do not write."""
        raise PermissionError(f"a reader does not wrap keys: {master_key_identifier}")

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """The data key; PermissionError where this role may not read the column, or the file is in another's place."""
        wrapped = json.loads(wrapped_key)
        sealed, is_bound = wrapped.get(self._keys.holder), _BOUND in wrapped
        key_id = master_key_identifier.partition("@")[2]
        if sealed is None:
            raise PermissionError(self._refusal(master_key_identifier))
        if not is_bound and f"/{_DAY}{key_id}-" not in self._place:
            raise PermissionError(f"it was written for the month {key_id}, which is not that of {self._place}")
        try:
            return self._keys.open(key_id, base64.b64decode(sealed), self._place if is_bound else "")
        except KeyUnavailable as cause:
            where = f", or the file was written as another one than {self._place}" if key_id in self._keys.keys else ""
            raise PermissionError(f"{cause}{where}") from None

    def _refusal(self, master_key_identifier: str) -> str:
        """Why a data key was not sealed to this reader: the role may not, or she had no key in that month."""
        name, _, key_id = master_key_identifier.partition("@")
        keys = self._keys
        if keys.reader != keys.role and name in (keys.role, _FOOTER):
            return f"reader {keys.reader} of role {keys.role} had no key when this was written (key id {key_id})"
        return f"role {keys.role} may not read what {master_key_identifier} protects"


def columns_by_role(schema: Schema) -> dict[str, list[str]]:
    """Role -> the columns it may read; empty where a dataset has no encrypted column."""
    columns = defaultdict(list)
    for f in schema.fields:
        if f.role:
            columns[f.role].append(f.name)
    return dict(columns)


def encryption_properties(schema: Schema, keys: RoleKeys, month: str, place: str) -> Any:
    """What a Parquet writer needs for a file of a month, whose path in the output is `place`.

    None where nothing is encrypted.

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
    factory = pe.CryptoFactory(lambda _: _SealingKms(keys, list(by_role), place))
    return factory.file_encryption_properties(pe.KmsConnectionConfig(), configuration)


def decryption_properties(keys: PrivateKeys, place: str) -> Any:
    """What a Parquet reader needs to read a role's columns of the file whose path in the output is `place`."""
    factory = pe.CryptoFactory(lambda _: _OpeningKms(keys, place))
    return factory.file_decryption_properties(pe.KmsConnectionConfig())
