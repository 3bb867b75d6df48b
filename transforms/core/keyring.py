"""The key ring: what a run needs to protect events, and nothing that reads code.

`ring.json` holds the secrets of workers (pseudonyms, sealing in flight) and the
public keys of roles. The roles' private keys lie in files of their own, made
beside it by `keys create` and kept elsewhere in production.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from schemas.errors import KeyUnavailable
from transforms.core import storage
from transforms.core.pseudonyms import PERSON_DOMAINS, Pseudonymizer, derive_key
from transforms.core.seal import PieceSealer, generate_key_pair, generate_secret, open_sealed, seal_to

ROLES = ("prompts", "completions", "operators")
"""Who may open what: prompts and captured code, completion text, quarantined payloads."""

STANDING = "standing"
"""The operators' key id; their key is not monthly, because a payload may have no date."""

RING_FILE = "ring.json"
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def check_month(month: str) -> str:
    """The month itself; raises KeyUnavailable where it is not YYYY-MM."""
    if not _MONTH.fullmatch(month):
        raise KeyUnavailable(f"month {month!r}: allowed is YYYY-MM")
    return month


@dataclass
class KeyRing:
    """Secrets by purpose, epoch secrets by month, roles' public keys by key id."""

    correlation: bytes
    transport: bytes
    epochs: dict[str, bytes] = field(default_factory=dict)
    destroyed: list[str] = field(default_factory=list)
    public_keys: dict[str, dict[str, bytes]] = field(default_factory=lambda: {r: {} for r in ROLES})

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("keys are opened in setup and never pickled")

    def __repr__(self) -> str:
        return f"KeyRing(epochs={sorted(self.epochs)})"

    def epoch_secret(self, key_id: str) -> bytes:
        """The secret of a month; raises KeyUnavailable, saying what to do, where there is none."""
        if key_id in self.epochs:
            return self.epochs[key_id]
        if key_id in self.destroyed:
            raise KeyUnavailable(f"the key of epoch {key_id} was destroyed: events received then cannot land")
        known = f"{min(self.epochs)} to {max(self.epochs)}" if self.epochs else "none"
        raise KeyUnavailable(
            f"no key for epoch {key_id} (the ring has {known}): "
            f"python -m pipelines.keys rotate --key_ring DIR --through {key_id}"
        )

    def pseudonymizer(self, domain: str, key_id: str) -> Pseudonymizer:
        """The pseudonymizer of a domain; key_id matters to person-scoped domains only."""
        secret = self.epoch_secret(key_id) if domain in PERSON_DOMAINS else self.correlation
        return Pseudonymizer(secret, domain)

    def public_key(self, role: str, key_id: str) -> bytes:
        """A role's public key; raises KeyUnavailable where there is none."""
        key = self.public_keys.get(role, {}).get(key_id)
        if key is None:
            raise KeyUnavailable(f"no public key of role {role} for {key_id} in the key ring")
        return key

    @cached_property
    def bucket_key(self) -> bytes:
        """Chooses buckets; the same in every epoch, or a person's events would part."""
        return derive_key(self.correlation, "bucket")

    @cached_property
    def payload_key(self) -> bytes:
        """Makes payload_id of quarantined payloads."""
        return derive_key(self.correlation, "payload")

    @property
    def check_value(self) -> str:
        """16 hex digits that tell rings apart and tell nothing else."""
        return derive_key(self.correlation, "check")[:8].hex()

    def sealer(self) -> PieceSealer:
        """Seals and opens pieces in flight."""
        return PieceSealer(derive_key(self.transport, "pieces"))

    def add_month(self, month: str) -> dict[str, bytes]:
        """Adds a month's epoch secret and role keys; returns the new private keys by role."""
        check_month(month)
        self.epochs[month] = generate_secret()
        made = {}
        for role in ROLES:
            if role != "operators":
                made[role], self.public_keys[role][month] = generate_key_pair()
        return made


def create() -> tuple[KeyRing, bytes]:
    """A ring without months, and the operators' private key."""
    ring = KeyRing(generate_secret(), generate_secret())
    private, ring.public_keys["operators"][STANDING] = generate_key_pair()
    return ring, private


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def dumps(ring: KeyRing) -> bytes:
    """The content of ring.json."""
    document = {
        "version": 1,
        "correlation": _text(ring.correlation),
        "transport": _text(ring.transport),
        "epochs": {m: _text(k) for m, k in sorted(ring.epochs.items())},
        "destroyed": sorted(ring.destroyed),
        "public_keys": {r: {m: _text(k) for m, k in sorted(keys.items())} for r, keys in ring.public_keys.items()},
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def load(folder: str) -> KeyRing:
    """The ring in a folder; raises KeyUnavailable where there is none or it is not one."""
    path = storage.join(folder, RING_FILE)
    document = _read_json(path, "key ring")
    try:
        return KeyRing(
            correlation=base64.b64decode(document["correlation"]),
            transport=base64.b64decode(document["transport"]),
            epochs={m: base64.b64decode(k) for m, k in document["epochs"].items()},
            destroyed=list(document["destroyed"]),
            public_keys={
                r: {m: base64.b64decode(k) for m, k in keys.items()} for r, keys in document["public_keys"].items()
            },
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        raise KeyUnavailable(f"{path} is not a key ring of version 1") from None


def _read_json(path: str, what: str) -> dict[str, Any]:
    if not storage.exists(path):
        raise KeyUnavailable(f"no {what} at {path}: python -m pipelines.keys create --output DIR makes one")
    try:
        document = json.loads(storage.read_bytes(path))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise KeyUnavailable(f"{path} is not a {what}")
    return document


class PrivateKeys:
    """One role's private keys by key id, as read from the role's own file."""

    def __init__(self, role: str, keys: dict[str, bytes]) -> None:
        self.role = role
        self.keys = keys

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("keys are opened in setup and never pickled")

    def open(self, key_id: str, sealed: bytes, info: bytes) -> bytes:
        """What was sealed to this role; raises KeyUnavailable without the month's key."""
        if key_id not in self.keys:
            raise KeyUnavailable(f"the {self.role} key of {key_id} is not in the key file (destroyed, or never given)")
        return open_sealed(self.keys[key_id], sealed, info)


def dump_private(keys: PrivateKeys) -> bytes:
    """The content of a role's key file."""
    document = {"version": 1, "role": keys.role, "private_keys": {m: _text(k) for m, k in sorted(keys.keys.items())}}
    return (json.dumps(document, indent=1) + "\n").encode()


def load_private(path: str) -> PrivateKeys:
    """A role's key file; raises KeyUnavailable where there is none or it is not one."""
    document = _read_json(path, "role key file")
    try:
        keys = {m: base64.b64decode(k) for m, k in document["private_keys"].items()}
        return PrivateKeys(document["role"], keys)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise KeyUnavailable(f"{path} is not a role key file") from None


def seal_for_role(ring: KeyRing, role: str, key_id: str, plain: bytes) -> bytes:
    """Seals to a role's public key of that id, bound to role and id."""
    return seal_to(ring.public_key(role, key_id), plain, f"{role}@{key_id}".encode())


def open_for_role(keys: PrivateKeys, key_id: str, sealed: bytes) -> bytes:
    """The inverse of `seal_for_role`."""
    return keys.open(key_id, sealed, f"{keys.role}@{key_id}".encode())
