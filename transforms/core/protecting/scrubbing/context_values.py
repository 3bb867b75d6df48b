"""Whether what stands where a secret stands is one: a judge for each kind of place.

A judge is given a text, and where a place's head begins and ends; it answers what is to go, or None.
"""

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from transforms.core.protecting.scrubbing.engine import begins_word
from transforms.core.protecting.scrubbing.spans import compiled
from transforms.core.protecting.scrubbing.values import (
    MAX_VALUE_BYTES,
    is_password,
    is_placeholder,
    is_random,
    is_strong,
    mixes,
)

if TYPE_CHECKING:
    from re2 import _Regexp

_COMMAND_BYTES = 300
_VALUE = compiled(r"[^\s\"'`\\<>,;(){}]+")
_CREDENTIAL = compiled(r"[A-Za-z0-9._~+/:-]+={0,2}")
_SECRET_WORD = compiled(r"[^\s\"'`\\<>]+")
_USER_SLASH = compiled(r"[\w.$-]+/[^\s\"'`\\<>@/]+@")
_PASSWORD_BEFORE = compiled(r"[\w.-]+:([^\s\"'`/@<>]+)\z", captures=True)


class Found(NamedTuple):
    """A value at an offset, and its kind."""

    at: int
    value: bytes
    kind: str


def _run(text: bytes, at: int, pattern: "_Regexp" = _VALUE) -> bytes:
    match = pattern.match(text, at, min(len(text), at + MAX_VALUE_BYTES))
    return match.group() if match else b""


def _is_basic(value: bytes) -> bool:
    """Whether it is Base64 of `user:password`."""
    try:
        plain = base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in plain and len(plain) >= 4 and all(32 <= c < 127 or c > 159 for c in plain)


def authorization(text: bytes, start: int, end: int) -> Found | None:
    """The credentials of an Authorization header, after a scheme's name or without."""
    value = _run(text, end, _CREDENTIAL)
    scheme = text[start:end].lower()
    if b"basic" in scheme and _is_basic(value):
        return Found(end, value, "authorization")
    named = any(
        s in scheme for s in (b"bearer", b"token", b"apikey", b"api-key", b"key", b"bot", b"splunk", b"sso", b"digest")
    )
    if is_placeholder(value) or (not mixes(value) and len(value) < 24) or b"://" in value:
        return None
    good = len(value) >= 8 and mixes(value) if named else is_random(value, 16)
    return Found(end, value, "authorization") if good else None


def bearer(text: bytes, start: int, end: int) -> Found | None:
    """What follows `Bearer`, where it looks drawn at random."""
    value = _run(text, end, _CREDENTIAL)
    return Found(end, value, "authorization") if begins_word(text, start) and is_random(value, 16) else None


def basic(text: bytes, start: int, end: int) -> Found | None:
    """What follows `Basic`, where it is Base64 of `user:password`."""
    value = _run(text, end, _CREDENTIAL)
    good = begins_word(text, start) and len(value) >= 8 and not is_placeholder(value) and _is_basic(value)
    return Found(end, value, "authorization") if good else None


def docker_auth(text: bytes, start: int, end: int) -> Found | None:
    """The value of `auth` in Docker's and npm's files, where it is Base64 of `user:password`."""
    del start
    value = _run(text, end, _CREDENTIAL)
    return Found(end, value, "authorization") if len(value) >= 8 and _is_basic(value) else None


def option(text: bytes, start: int, end: int) -> Found | None:
    """The value of a command's option such as `--password`."""
    del start
    value = _run(text, end)
    if value.startswith(b"-"):
        return None
    good = is_password(value, quoted=False) and (mixes(value) or text[end - 1] in b"\"'")
    return Found(end, value, "password") if good else None


def after_command(*commands: bytes) -> Callable[[bytes, int, int], Found | None]:
    """A judge of the value of a short option, which is a password after some commands only."""

    def look(text: bytes, start: int, end: int) -> Found | None:
        window = text[max(0, start - _COMMAND_BYTES) : start]
        if not any(command in window for command in commands):
            return None
        value = _run(text, end)
        return Found(end, value, "password") if len(value) >= 3 and not is_placeholder(value) else None

    return look


def user(text: bytes, start: int, end: int) -> Found | None:
    """The password in `-u user:password`."""
    value = _run(text, end)
    user, colon, password = value.partition(b":")
    if not colon or not password or is_placeholder(password):
        return None
    window = text[max(0, start - _COMMAND_BYTES) : start]
    sure = any(command in window for command in (b"curl", b"wget", b"http ", b"https ", b"xh "))
    good = not password.isdigit() if sure else is_strong(password)
    return Found(end + len(user) + 1, password, "password") if good else None


def stated(text: bytes, start: int, end: int) -> Found | None:
    """A value where nothing but a password stands: any but a placeholder."""
    del start
    value = _run(text, end, _SECRET_WORD)
    return Found(end, value, "password") if len(value) >= 3 and not is_placeholder(value) else None


def said(text: bytes, start: int, end: int) -> Found | None:
    """A value that a sentence calls a password: one that looks like it."""
    value = _run(text, end)
    good = begins_word(text, start) and (is_strong(value) or is_random(value, 12))
    return Found(end, value, "password") if good else None


def strong_argument(text: bytes, start: int, end: int) -> Found | None:
    """The second argument of a call that logs in, where it looks like a password."""
    del start
    value = _run(text, end, _SECRET_WORD)
    return Found(end, value, "password") if is_strong(value) else None


def slashed(text: bytes, start: int, end: int) -> Found | None:
    """`user/password@` of Oracle's commands and addresses."""
    del start
    value = _run(text, end, _USER_SLASH)
    good = value and not is_placeholder(value.partition(b"/")[2][:-1])
    return Found(end, value[:-1], "url_credentials") if good else None


def driver(text: bytes, start: int, end: int) -> Found | None:
    """`user:password@tcp(host)` of Go's drivers: the password stands before what was found."""
    del end
    before = _PASSWORD_BEFORE.search(text[max(0, start - 200) : start])
    if before is None or is_placeholder(before.group(1)):
        return None
    value = before.group(1)
    return Found(start - len(value), value, "url_credentials")
