"""The key that signs manifests is replaced by a new one; of the old one the ring keeps the public half."""

from pipelines.keeping.files import sweep_beside, write_ring
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.keys import keyring
from transforms.core.keys.public_key import key_line, shown_key
from transforms.core.keys.retired import LEAKED, retire
from transforms.core.keys.ring import KeyRing
from transforms.core.keys.seal import generate_secret
from transforms.core.keys.signing import Signer


def signing_key_of(ring: KeyRing) -> Signer:
    """What the ring signs with; raises InvalidOptions of a ring of version 1."""
    if ring.signer is None:
        raise InvalidOptions("--key_ring: of version 1, it has no signing key; keys rotate gives it one")
    return ring.signer


def renew(folder: str, old: str, reason: str, public_key: str) -> KeyRing:
    """Retires the signing key of which the beginning of the digest is given, and writes the new public key to a file.

    The ring is written first: of a run that was killed, the same command writes the file. A key that was retired
    before, and of which is heard later that it leaked, is told so. Raises InvalidOptions where the ring has no such
    key, or says already that it leaked.
    """
    ring = keyring.load(folder)
    signer = signing_key_of(ring)
    known = {shown_key(key.public_key): number for number, key in enumerate(ring.retired)}
    if old == shown_key(signer.public_key):
        ring.retired.append(retire(signer.public_key, reason))
        ring.signing = generate_secret()
        write_ring(folder, ring)
    elif old not in known:
        raise InvalidOptions(f"--confirm {old[:32]}: the ring signs with the key {shown_key(signer.public_key)}")
    elif ring.retired[known[old]].reason != reason:
        _say_leaked(folder, ring, known[old], reason)
    sweep_beside([public_key])
    storage.write_atomic(public_key, key_line(signing_key_of(ring).public_key))
    return ring


def _say_leaked(folder: str, ring: KeyRing, number: int, reason: str) -> None:
    if reason != LEAKED:
        raise InvalidOptions(f"--reason {reason}: the ring says that this key leaked, and that is not taken back")
    ring.retired[number] = ring.retired[number]._replace(reason=LEAKED)
    write_ring(folder, ring)


def signing_described(ring: KeyRing) -> list[str]:
    """Lines that tell the public key of signatures, and those of before."""
    if ring.signer is None:
        return []
    key = ring.signer.public_key
    return [
        f"signing key {shown_key(key)}",
        f"public key of signatures: {key_line(key).decode().strip()}",
        *(f"signing key {shown_key(old.public_key)} was retired on {old.retired_at:%Y-%m-%d}: {old.reason}"
          for old in ring.retired),
    ]  # fmt: skip
