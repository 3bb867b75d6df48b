"""Keys that wrap key rings: age identities, and programs that ask a KMS."""

import base64
import sys
from collections.abc import Iterable
from pathlib import Path

import pyrage

from transforms.core.keys.keyring import KeyRing


def age_identity(path: Path) -> str:
    """Makes a file of one identity as age-keygen writes it; returns its path."""
    identity = pyrage.x25519.Identity.generate()
    path.write_text(f"# created: 2026-11-27\n# public key: {identity.to_public()}\n{identity}\n")
    path.chmod(0o600)
    return str(path)


def program(path: Path, code: str) -> str:
    """Makes a program of Python code; returns its path."""
    path.write_text(f"#!{sys.executable}\n{code}")
    path.chmod(0o700)
    return str(path)


def secrets_of(ring: KeyRing, data: bytes) -> list[str]:
    """The places of those keys of the ring that stand in the bytes."""
    return keys_in_bytes(ring.entries.items(), data)


def keys_in_bytes(keys: Iterable[tuple[str, bytes]], data: bytes) -> list[str]:
    """The names of those keys that stand in the bytes: raw, in base64, in hex."""
    return [
        name for name, key in keys if any(form in data for form in (key, base64.b64encode(key), key.hex().encode()))
    ]
