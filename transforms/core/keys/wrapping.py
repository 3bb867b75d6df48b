"""Key files that are worthless alone: the document sealed under a data key, which a key from elsewhere wraps.

    {"version": 1, "wrapped_key": "...", "document": "..."}

The data key stays the same while a file is written anew, so that a process which may only unwrap can still rotate.
`keys wrap` gives a file a fresh one.
"""

import base64
import json
import os
from dataclasses import dataclass

from schemas.errors import KeyUnavailable
from transforms.core.keys import wrapping_keys
from transforms.core.keys.documents import KEY_BYTES, Unsound, read_document, write_document
from transforms.core.keys.in_process import InProcess
from transforms.core.keys.seal import PieceSealer, generate_secret

_MEMBERS = {1: frozenset(("wrapped_key", "document"))}
_CONTEXT = b"suggestion-telemetry: key file"


@dataclass(frozen=True, repr=False, eq=False)
class Envelope(InProcess):
    """A file's data key, and the same as only the wrapping key opens it."""

    wrapped_key: str
    data_key: bytes

    def seal(self, document: bytes) -> bytes:
        """The content of the file."""
        sealed = PieceSealer(self.data_key).seal(document, self._context)
        return write_document(1, wrapped_key=self.wrapped_key, document=base64.b64encode(sealed).decode())

    def open(self, document: str) -> bytes:
        """What was sealed; raises Unsound where it is damaged, or of another data key."""
        try:
            return PieceSealer(self.data_key).unseal(base64.b64decode(document, validate=True), self._context)
        except (KeyUnavailable, ValueError):
            raise Unsound("what is wrapped is damaged") from None

    @property
    def _context(self) -> bytes:
        return _CONTEXT + b"\0" + self.wrapped_key.encode()


def new_envelope(where: str) -> Envelope:
    """A fresh data key, wrapped by the key of that place; raises KeyUnavailable."""
    data_key = generate_secret()
    return Envelope(wrapping_keys.wrap(where, data_key), data_key)


def opened(data: bytes) -> tuple[bytes, Envelope | None]:
    """The document of a key file, and its envelope; None where it is not wrapped.

    Raises Unsound where it is damaged, KeyUnavailable where no wrapping key is named or it does not open this file.
    """
    if not _is_wrapped(data):
        return data, None
    _, members = read_document(data, _MEMBERS)
    wrapped_key, document = members["wrapped_key"], members["document"]
    if not isinstance(wrapped_key, str) or not isinstance(document, str):
        raise Unsound("what is wrapped is damaged")
    where = os.environ.get(wrapping_keys.VARIABLE)
    if not where:
        raise KeyUnavailable(
            "this key file is wrapped: --wrapping_key, or the environment variable "
            f"{wrapping_keys.VARIABLE}, says where the key is that opens it"
        )
    data_key = wrapping_keys.unwrap(where, wrapped_key)
    if len(data_key) != KEY_BYTES:
        raise KeyUnavailable(f"what the wrapping key {where} gave is no key of {KEY_BYTES} bytes")
    envelope = Envelope(wrapped_key, data_key)
    return envelope.open(document), envelope


def _is_wrapped(data: bytes) -> bool:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "wrapped_key" in found
