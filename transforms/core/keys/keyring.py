"""The key ring: what a run needs to protect events, and nothing that reads code.

`ring.json` holds the secrets of workers (pseudonyms, sealing in flight) and the
public keys of roles. The roles' private keys lie in files of their own, made
beside it by `keys create` and kept elsewhere in production.
"""

import base64
import json
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

from schemas.errors import KeyUnavailable
from transforms.core import storage
from transforms.core.keys.documents import (
    Unsound,
    check_distinct,
    check_month,
    key_of,
    keys_of,
    months_of,
    read_document,
)
from transforms.core.keys.pseudonyms import PERSON_DOMAINS, Pseudonymizer, derive_key
from transforms.core.keys.seal import (
    PieceSealer,
    generate_key_pair,
    generate_secret,
    is_sound_public_key,
    open_sealed,
    seal_to,
)
from transforms.core.storage.secret_files import read_secret

ROLES = ("prompts", "completions", "operators")
"""Who may open what: prompts and captured code, completion text, quarantined payloads."""

STANDING = "standing"
"""The operators' key id; their key is not monthly, because a payload may have no date."""

RING_FILE = "ring.json"
_RING_MEMBERS = frozenset(("correlation", "transport", "epochs", "destroyed", "public_keys"))
_ROLE_MEMBERS = frozenset(("role", "private_keys"))
_CREATE = "python -m pipelines.keys create --output DIR makes one"


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

    @property
    def entries(self) -> dict[str, bytes]:
        """Every key by the place where it stands in the ring."""
        return {
            "correlation": self.correlation,
            "transport": self.transport,
            **{f"epochs.{month}": key for month, key in self.epochs.items()},
            **{f"public_keys.{r}.{name}": key for r, keys in self.public_keys.items() for name, key in keys.items()},
        }

    @property
    def entry_checks(self) -> dict[str, str]:
        """16 hex digits for each key, which tell that it is the same one and nothing else."""
        secret = derive_key(self.correlation, "entries")
        return {
            place: blake2b(place.encode() + b"\0" + key, key=secret, digest_size=8).hexdigest()
            for place, key in self.entries.items()
        }

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
    """The ring in a folder; raises KeyUnavailable where there is none, it is not sound, or others may write it."""
    path = storage.join(folder, RING_FILE)
    if not storage.exists(path):
        raise KeyUnavailable(f"no key ring at {path}: {_CREATE}")
    try:
        return _ring_of(read_document(read_secret(path, "key ring"), _RING_MEMBERS))
    except Unsound as found:
        raise KeyUnavailable(f"{path} is not a key ring: {found}") from None


def _ring_of(document: dict[str, Any]) -> KeyRing:
    """Raises Unsound where a key is missing, doubled, of a wrong length, or of a month that was destroyed."""
    public = document["public_keys"]
    if not isinstance(public, dict) or {*public} != {*ROLES}:
        raise Unsound(f"public_keys is no object of the roles {', '.join(ROLES)}")
    ring = KeyRing(
        correlation=key_of(document["correlation"], "correlation"),
        transport=key_of(document["transport"], "transport"),
        epochs=keys_of(document["epochs"], "epochs"),
        destroyed=months_of(document["destroyed"], "destroyed"),
        public_keys={
            role: keys_of(keys, f"public_keys.{role}", STANDING if role == "operators" else None)
            for role, keys in public.items()
        },
    )
    _check_months(ring)
    entries = ring.entries
    check_distinct(entries)
    for place, key in entries.items():
        if place.startswith("public_keys.") and not is_sound_public_key(key):
            raise Unsound(f"{place} is no public key: whatever is sealed to it, everybody can open")
    return ring


def _check_months(ring: KeyRing) -> None:
    for month in ring.destroyed:
        if month in ring.epochs or any(month in keys for keys in ring.public_keys.values()):
            raise Unsound(f"{month} was destroyed and still has a key")
    for role, keys in ring.public_keys.items():
        expected = {STANDING} if role == "operators" else {*ring.epochs}
        if odd := sorted({*keys} ^ expected):
            raise Unsound(f"public_keys.{role} and the months do not fit: {odd[0]} is in one of them alone")


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
    """A role's key file; raises KeyUnavailable where there is none, it is not sound, or others may write it."""
    if not storage.exists(path):
        raise KeyUnavailable(f"no role key file at {path}: {_CREATE}")
    try:
        document = read_document(read_secret(path, "role key file"), _ROLE_MEMBERS)
        role = document["role"]
        if role not in ROLES:
            raise Unsound(f"of no role; roles are {', '.join(ROLES)}")
        keys = keys_of(document["private_keys"], "private_keys", STANDING if role == "operators" else None)
        check_distinct(keys)
    except Unsound as found:
        raise KeyUnavailable(f"{path} is not a role key file: {found}") from None
    return PrivateKeys(role, keys)


def seal_for_role(ring: KeyRing, role: str, key_id: str, plain: bytes) -> bytes:
    """Seals to a role's public key of that id, bound to role and id."""
    return seal_to(ring.public_key(role, key_id), plain, f"{role}@{key_id}".encode())


def open_for_role(keys: PrivateKeys, key_id: str, sealed: bytes) -> bytes:
    """The inverse of `seal_for_role`."""
    return keys.open(key_id, sealed, f"{keys.role}@{key_id}".encode())
