"""Credentials before the host of a URL: `scheme://user:password@host`, `redis://:password@host`, `https://token@host`."""

from collections.abc import Iterable

from transforms.core.protecting.scrubbing.density import Heads
from transforms.core.protecting.scrubbing.engine import Detector
from transforms.core.protecting.scrubbing.spans import Span, compiled
from transforms.core.protecting.scrubbing.values import is_placeholder

_AUTHORITY = compiled(r"[^\s/?#\"'`<>\\(){}]+")
_WITH_SLASH = compiled(r"[\w.%+-]*:[^\s\"'`<>:@\\]+@[\w.-]")
_LONGEST_BYTES = 512
_NO_PERSON = frozenset((b"git", b"hg", b"svn", b"user", b"username", b"anonymous", b"nobody", b"root", b"npm"))


def _look(text: bytes, heads: Heads) -> Iterable[Span]:
    for _, end in heads:
        match = _AUTHORITY.match(text, end, min(len(text), end + _LONGEST_BYTES))
        if match is None:
            continue
        credentials, at, _ = match.group().rpartition(b"@")
        if not at:
            slashed = _WITH_SLASH.match(text, end, min(len(text), end + _LONGEST_BYTES))
            if slashed is None:
                continue
            credentials = slashed.group()[:-2]
            if credentials.partition(b":")[2].partition(b"/")[0].isdigit():
                continue  # a port, and an @ somewhere in the path
        user, colon, password = credentials.partition(b":")
        if (password and is_placeholder(password)) or (not password and user.lower() in _NO_PERSON):
            continue
        if not colon and (len(user) < 3 or is_placeholder(user)):
            continue
        yield Span(end, end + len(credentials), "url_credentials")


URL_CREDENTIALS = Detector.of("url_credentials", r"(?::|%3[aA])(?:\\*/){2}", _look, b":/", b":\\", b"%3a")
