"""Roles and their readers: who may open what, and under which name a key stands."""

import re

from schemas.errors import KeyUnavailable

ROLES = ("prompts", "completions", "operators")
"""Who may open what: prompts and captured code, completion text, quarantined payloads."""

OPERATORS = "operators"

STANDING = "standing"
"""The operators' key id; their key is not monthly, because a payload may have no date."""

_READER = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def check_reader(reader: str) -> str:
    """The name itself; raises KeyUnavailable where it is none."""
    if not is_reader(reader):
        raise KeyUnavailable(
            f"reader {reader[:60]!r}: allowed are a to z, 0 to 9, - and _, a letter first, at most 40 of them"
        )
    return reader


def is_reader(name: str) -> bool:
    """Whether a reader may be called so. A name is no month and has no dot, slash or @, which part names."""
    return _READER.fullmatch(name) is not None


def holder_of(role: str, reader: str) -> str:
    """The name of who holds a private key: `completions/alice`, or the role alone for the reader who bears its name."""
    return role if reader == role else f"{role}/{reader}"


def role_context(holder: str, key_id: str, place: str = "") -> bytes:
    """What is bound to everything that is sealed to a holder: it opens as this holder's and key id's only.

    With a place, which is a file's path in its output, it opens as that file's only.
    """
    return f"{holder}@{key_id}\n{place}".encode() if place else f"{holder}@{key_id}".encode()
