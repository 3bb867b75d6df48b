"""Roles' private keys: what reads code and quarantined payloads. No job that writes datasets opens them."""

from schemas.errors import KeyUnavailable
from transforms.core import storage
from transforms.core.keys.documents import Unsound, check_distinct, key_texts, keys_of, read_document, write_document
from transforms.core.keys.in_process import InProcess
from transforms.core.keys.keyring import HOW_TO_CREATE
from transforms.core.keys.roles import OPERATORS, ROLES, STANDING, role_context
from transforms.core.keys.seal import open_sealed
from transforms.core.storage.secret_files import read_secret

_MEMBERS = frozenset(("role", "private_keys"))


class PrivateKeys(InProcess):
    """One role's private keys by key id, as read from the role's own file."""

    def __init__(self, role: str, keys: dict[str, bytes]) -> None:
        self.role = role
        self.keys = keys

    def open(self, key_id: str, sealed: bytes) -> bytes:
        """What was sealed to this role under a key id; raises KeyUnavailable without that key."""
        if key_id not in self.keys:
            raise KeyUnavailable(f"the {self.role} key of {key_id} is not in the key file (destroyed, or never given)")
        return open_sealed(self.keys[key_id], sealed, role_context(self.role, key_id))


def dump_private(keys: PrivateKeys) -> bytes:
    """The content of a role's key file."""
    return write_document(role=keys.role, private_keys=key_texts(keys.keys))


def load_private(path: str) -> PrivateKeys:
    """A role's key file; raises KeyUnavailable where there is none, it is not sound, or others may write it."""
    if not storage.exists(path):
        raise KeyUnavailable(f"no role key file at {path}: {HOW_TO_CREATE}")
    try:
        document = read_document(read_secret(path, "role key file"), _MEMBERS)
        role = document["role"]
        if role not in ROLES:
            raise Unsound(f"of no role; roles are {', '.join(ROLES)}")
        keys = keys_of(document["private_keys"], "private_keys", STANDING if role == OPERATORS else None)
        check_distinct(keys)
    except Unsound as found:
        raise KeyUnavailable(f"{path} is not a role key file: {found}") from None
    return PrivateKeys(role, keys)
