"""The key ring: what a run needs to protect events, and nothing that reads code.

`ring.json` holds the secrets of workers (pseudonyms, sealing in flight) and the
public keys of roles. The roles' private keys lie in files of their own, made
beside it by `keys create` and kept elsewhere in production.
"""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from schemas.errors import KeyUnavailable
from transforms.core import storage
from transforms.core.keys.documents import (
    Unsound,
    check_distinct,
    check_month,
    key_of,
    key_text,
    key_texts,
    keys_of,
    months_of,
    read_document,
    write_document,
)
from transforms.core.keys.in_process import InProcess
from transforms.core.keys.pseudonyms import derive_key
from transforms.core.keys.roles import OPERATORS, ROLES, STANDING
from transforms.core.keys.seal import generate_key_pair, generate_secret, is_sound_public_key
from transforms.core.storage.secret_files import read_secret

RING_FILE = "ring.json"
_RING_MEMBERS = frozenset(("correlation", "transport", "epochs", "destroyed", "public_keys"))
HOW_TO_CREATE = "python -m pipelines.keys create --output DIR makes one"


@dataclass(repr=False)
class KeyRing(InProcess):
    """Secrets by purpose, epoch secrets by month, roles' public keys by key id."""

    correlation: bytes
    transport: bytes
    epochs: dict[str, bytes] = field(default_factory=dict)
    destroyed: list[str] = field(default_factory=list)
    public_keys: dict[str, dict[str, bytes]] = field(default_factory=lambda: {r: {} for r in ROLES})

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

    def add_month(self, month: str) -> dict[str, bytes]:
        """Adds a month's epoch secret and role keys; returns the new private keys by role."""
        check_month(month)
        self.epochs[month] = generate_secret()
        made = {}
        for role in ROLES:
            if role != OPERATORS:
                made[role], self.public_keys[role][month] = generate_key_pair()
        return made


def create() -> tuple[KeyRing, bytes]:
    """A ring without months, and the operators' private key."""
    ring = KeyRing(generate_secret(), generate_secret())
    private, ring.public_keys[OPERATORS][STANDING] = generate_key_pair()
    return ring, private


def dumps(ring: KeyRing) -> bytes:
    """The content of ring.json."""
    return write_document(
        correlation=key_text(ring.correlation),
        transport=key_text(ring.transport),
        epochs=key_texts(ring.epochs),
        destroyed=sorted(ring.destroyed),
        public_keys={role: key_texts(keys) for role, keys in ring.public_keys.items()},
    )


def load(folder: str) -> KeyRing:
    """The ring in a folder; raises KeyUnavailable where there is none, it is not sound, or others may write it."""
    return parse(read(folder), folder)


def read(folder: str) -> bytes:
    """The content of a folder's ring.json; raises KeyUnavailable where there is none, or others may write it."""
    path = storage.join(folder, RING_FILE)
    if not storage.exists(path):
        raise KeyUnavailable(f"no key ring at {path}: {HOW_TO_CREATE}")
    return read_secret(path, "key ring")


def parse(data: bytes, folder: str) -> KeyRing:
    """The ring that ring.json of this folder holds; raises KeyUnavailable where it is not sound."""
    try:
        return _ring_of(read_document(data, _RING_MEMBERS))
    except Unsound as found:
        raise KeyUnavailable(f"{storage.join(folder, RING_FILE)} is not a key ring: {found}") from None


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
            role: keys_of(keys, f"public_keys.{role}", STANDING if role == OPERATORS else None)
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
        expected = {STANDING} if role == OPERATORS else {*ring.epochs}
        if odd := sorted({*keys} ^ expected):
            raise Unsound(f"public_keys.{role} and the months do not fit: {odd[0]} is in one of them alone")
