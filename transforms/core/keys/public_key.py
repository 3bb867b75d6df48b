"""The public key of signatures, as people read, compare and keep it."""

import base64
import hashlib

from schemas.errors import KeyUnavailable
from transforms.core import storage
from transforms.core.keys.documents import KEY_BYTES

MOST_BYTES = 1024
"""No file of a public key is larger."""


def key_line(key: bytes) -> bytes:
    """The content of a file of a public key: base64 on a line."""
    return base64.b64encode(key) + b"\n"


def read_public_key(path: str) -> bytes:
    """The key of a file; raises KeyUnavailable where it is none of one public key, StorageUnavailable."""
    data = storage.read_start(path, MOST_BYTES)
    try:
        key = base64.b64decode(data.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnavailable(f"{path} is no file of a public key: allowed is one line, {KEY_BYTES} bytes in base64")
    return key


def shown_key(key: bytes) -> str:
    """The begin of a public key's digest, as people compare it."""
    return hashlib.sha256(key).hexdigest()[:16]
