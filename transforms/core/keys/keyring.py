"""The key ring as a file: what a run needs to protect events, and nothing that reads code.

`ring.json` holds the secrets of workers (pseudonyms, sealing in flight,
signing) and the public keys of roles' readers. Readers' private keys lie in
files of their own, made beside it by `keys create` and kept elsewhere in
production. Version 1 had no edition, no signing key and no readers by name:
each role was its own reader. It is still read, and lifted when it is next
written. Version 3 has signing keys that were retired and key files that were
declared lost; a ring that has neither is written as of version 2.
"""

from typing import Any

from schemas.errors import KeyUnavailable
from transforms.core import storage
from transforms.core.keys.documents import (
    Unsound,
    check_distinct,
    edition_of,
    key_of,
    key_text,
    key_texts,
    keys_of,
    months_of,
    read_document,
    write_document,
)
from transforms.core.keys.lost import lost_of, lost_text, not_proven_of, not_proven_text
from transforms.core.keys.readers import readers_of, readers_of_roles, readers_text
from transforms.core.keys.retired import retired_of, retired_text
from transforms.core.keys.ring import KeyRing
from transforms.core.keys.roles import OPERATORS, STANDING
from transforms.core.keys.seal import generate_key_pair, generate_secret, is_sound_public_key
from transforms.core.keys.wrapping import opened
from transforms.core.storage.secret_files import read_secret

__all__ = ["RING_FILE", "KeyRing", "create", "dumps", "load", "next_edition", "parse", "read"]

RING_FILE = "ring.json"
_BOTH = frozenset(("correlation", "transport", "epochs", "destroyed"))
_OF_2 = _BOTH | {"edition", "signing", "destroying", "readers"}
_MEMBERS = {1: _BOTH | {"public_keys"}, 2: _OF_2, 3: _OF_2 | {"retired", "lost", "not_proven"}}
HOW_TO_CREATE = "python -m pipelines.keys create --output DIR makes one"


def create() -> tuple[KeyRing, bytes]:
    """A ring without months, and the operators' private key."""
    ring = next_edition(KeyRing(generate_secret(), generate_secret()))
    private, ring.readers[OPERATORS][OPERATORS].public_keys[STANDING] = generate_key_pair()
    return ring, private


def next_edition(ring: KeyRing) -> KeyRing:
    """The ring itself, as it is written next: its edition has grown, and it has a signing key."""
    ring.edition += 1
    if ring.signing is None:
        ring.signing = generate_secret()
    return ring


def dumps(ring: KeyRing) -> bytes:
    """The content of ring.json, wrapped as it was; `next_edition` comes before each write."""
    if ring.signing is None:
        raise ValueError("a ring without a signing key is of version 1, which is not written any more")
    newer = _members_of_3(ring)
    document = write_document(
        3 if newer else 2,
        edition=ring.edition,
        correlation=key_text(ring.correlation),
        transport=key_text(ring.transport),
        signing=key_text(ring.signing),
        epochs=key_texts(ring.epochs),
        destroyed=sorted(ring.destroyed),
        destroying=sorted(ring.destroying),
        readers=readers_text(ring.readers),
        **newer,
    )
    return document if ring.envelope is None else ring.envelope.seal(document)


def _members_of_3(ring: KeyRing) -> dict[str, Any]:
    if not (ring.retired or ring.lost or ring.not_proven):
        return {}
    return {
        "retired": retired_text(ring.retired),
        "lost": lost_text(ring.lost),
        "not_proven": not_proven_text(ring.not_proven),
    }


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
    """The ring that ring.json of this folder holds; raises KeyUnavailable where it is not sound, or does not open."""
    try:
        document, envelope = opened(data)
        ring = _ring_of(*read_document(document, _MEMBERS))
        ring.envelope = envelope
        return ring
    except Unsound as found:
        raise KeyUnavailable(f"{storage.join(folder, RING_FILE)} is not a key ring: {found}") from None


def _ring_of(version: int, document: dict[str, Any]) -> KeyRing:
    """Raises Unsound where a key is missing, doubled, of a wrong length, or of a month that was destroyed."""
    ring = KeyRing(
        correlation=key_of(document["correlation"], "correlation"),
        transport=key_of(document["transport"], "transport"),
        epochs=keys_of(document["epochs"], "epochs"),
        destroyed=months_of(document["destroyed"], "destroyed"),
    )
    if version == 1:
        ring.readers = readers_of_roles(document["public_keys"])
    else:
        ring.readers = readers_of(document["readers"])
        ring.signing = key_of(document["signing"], "signing")
        ring.destroying = months_of(document["destroying"], "destroying")
        ring.edition = edition_of(document["edition"])
    if version > 2:
        ring.retired = retired_of(document["retired"])
        ring.lost = lost_of(document["lost"])
        ring.not_proven = not_proven_of(document["not_proven"])
    _check_months(ring)
    _check_keys(ring)
    _check_lost(ring)
    return ring


def _check_keys(ring: KeyRing) -> None:
    entries = ring.entries
    receipts = {
        f"readers.{role}.{name}.receipt_key": reader.receipt_key
        for role, named in ring.readers.items()
        for name, reader in named.items()
        if reader.receipt_key is not None
    }
    check_distinct({**entries, **receipts})
    for place, key in entries.items():
        if place.startswith("public_keys.") and not is_sound_public_key(key):
            raise Unsound(f"{place} is no public key: whatever is sealed to it, everybody can open")


def _check_lost(ring: KeyRing) -> None:
    signer = ring.signer
    signed_with = [signer.public_key, *signer.retired] if signer else []
    check_distinct({f"retired.{number}": key for number, key in enumerate(signed_with)})
    for lost in ring.lost:
        if not lost.is_signed(signed_with):
            raise Unsound(f"that the key file of {lost.holder} is lost was not signed with this ring, or was altered")
    for month, held in ring.not_proven.items():
        if month not in ring.destroyed or not all(ring.declared_lost(holder, month) for holder in held):
            raise Unsound(f"not_proven names {month} without a reason")


def _check_months(ring: KeyRing) -> None:
    keyed = {key_id for named in ring.public_keys.values() for keys in named.values() for key_id in keys}
    for month in ring.destroyed:
        if month in ring.epochs or month in ring.destroying or month in keyed:
            raise Unsound(f"{month} was destroyed and still has a key")
    for month in ring.destroying:
        if month in ring.epochs:
            raise Unsound(f"{month} is being destroyed and still has a key of pseudonyms")
    for role, named in ring.readers.items():
        months = {*ring.epochs}
        have = {key_id for reader in named.values() for key_id in reader.public_keys} - {*ring.destroying}
        sealed = {key_id for r in named.values() for key_id in r.public_keys if r.is_sealed_to(key_id)}
        expected = {STANDING} if role == OPERATORS else months
        if odd := sorted((have ^ expected) | (expected - sealed)):
            raise Unsound(f"the readers of {role} and the months do not fit: {odd[0]} is in one of them alone")
