"""Values that stand where a secret stands: headers, cookies, options of commands, SQL, calls that log in."""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from transforms.core.protecting.scrubbing.density import Heads
from transforms.core.protecting.scrubbing.engine import Detector, begins_word
from transforms.core.protecting.scrubbing.spans import Span, compiled
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

_Q = r"\\*[\"'`]"
_COMMAND_BYTES = 300
_VALUE = compiled(r"[^\s\"'`\\<>,;(){}]+")
_CREDENTIAL = compiled(r"[A-Za-z0-9._~+/:-]+={0,2}")
_SECRET_WORD = compiled(r"[^\s\"'`\\<>]+")
_USER_SLASH = compiled(r"[\w.$-]+/[^\s\"'`\\<>@/]+@")
_PASSWORD_BEFORE = compiled(r"[\w.-]+:([^\s\"'`/@<>]+)\z", captures=True)
_PAIR = compiled(r"[ \t]*([\w.$-]+)=([^\s\"'`\\,;<>(){}]*)(;?)", captures=True)
_COOKIE_ATTRIBUTES = frozenset(
    b"path domain expires max-age samesite secure httponly priority partitioned version".split()
)


class _Found(NamedTuple):
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


def _authorization(text: bytes, start: int, end: int) -> _Found | None:
    value = _run(text, end, _CREDENTIAL)
    scheme = text[start:end].lower()
    if b"basic" in scheme and _is_basic(value):
        return _Found(end, value, "authorization")
    named = any(
        s in scheme for s in (b"bearer", b"token", b"apikey", b"api-key", b"key", b"bot", b"splunk", b"sso", b"digest")
    )
    if is_placeholder(value) or (not mixes(value) and len(value) < 24) or b"://" in value:
        return None
    good = len(value) >= 8 and mixes(value) if named else is_random(value, 16)
    return _Found(end, value, "authorization") if good else None


def _bearer(text: bytes, start: int, end: int) -> _Found | None:
    value = _run(text, end, _CREDENTIAL)
    return _Found(end, value, "authorization") if begins_word(text, start) and is_random(value, 16) else None


def _basic(text: bytes, start: int, end: int) -> _Found | None:
    value = _run(text, end, _CREDENTIAL)
    good = begins_word(text, start) and len(value) >= 8 and not is_placeholder(value) and _is_basic(value)
    return _Found(end, value, "authorization") if good else None


def _docker_auth(text: bytes, start: int, end: int) -> _Found | None:
    del start
    value = _run(text, end, _CREDENTIAL)
    return _Found(end, value, "authorization") if len(value) >= 8 and _is_basic(value) else None


def _option(text: bytes, start: int, end: int) -> _Found | None:
    del start
    value = _run(text, end)
    if value.startswith(b"-"):
        return None
    good = is_password(value, quoted=False) and (mixes(value) or text[end - 1] in b"\"'")
    return _Found(end, value, "password") if good else None


def _after_command(*commands: bytes) -> Callable[[bytes, int, int], _Found | None]:
    def look(text: bytes, start: int, end: int) -> _Found | None:
        window = text[max(0, start - _COMMAND_BYTES) : start]
        if not any(command in window for command in commands):
            return None
        value = _run(text, end)
        return _Found(end, value, "password") if len(value) >= 3 and not is_placeholder(value) else None

    return look


def _user(text: bytes, start: int, end: int) -> _Found | None:
    value = _run(text, end)
    user, colon, password = value.partition(b":")
    if not colon or not password or is_placeholder(password):
        return None
    window = text[max(0, start - _COMMAND_BYTES) : start]
    sure = any(command in window for command in (b"curl", b"wget", b"http ", b"https ", b"xh "))
    good = not password.isdigit() if sure else is_strong(password)
    return _Found(end + len(user) + 1, password, "password") if good else None


def _stated(text: bytes, start: int, end: int) -> _Found | None:
    del start
    value = _run(text, end, _SECRET_WORD)
    return _Found(end, value, "password") if len(value) >= 3 and not is_placeholder(value) else None


def _said(text: bytes, start: int, end: int) -> _Found | None:
    value = _run(text, end)
    good = begins_word(text, start) and (is_strong(value) or is_random(value, 12))
    return _Found(end, value, "password") if good else None


def _strong_argument(text: bytes, start: int, end: int) -> _Found | None:
    del start
    value = _run(text, end, _SECRET_WORD)
    return _Found(end, value, "password") if is_strong(value) else None


def _slashed(text: bytes, start: int, end: int) -> _Found | None:
    del start
    value = _run(text, end, _USER_SLASH)
    good = value and not is_placeholder(value.partition(b"/")[2][:-1])
    return _Found(end, value[:-1], "url_credentials") if good else None


def _driver(text: bytes, start: int, end: int) -> _Found | None:
    """`user:password@tcp(host)` of Go's drivers: the password stands before what was found."""
    del end
    before = _PASSWORD_BEFORE.search(text[max(0, start - 200) : start])
    if before is None or is_placeholder(before.group(1)):
        return None
    value = before.group(1)
    return _Found(start - len(value), value, "url_credentials")


_OPTION_NAME = r"(?:[\w-]*-)?(?:pass(?:word|wd|phrase)?|pwd|token|secret|api-?key|access-?key|secret-?key|auth-?token)"


class _Context(NamedTuple):
    """`heads` ends where the value begins; one of `needs` stands in every head, in small letters."""

    name: str
    heads: str
    judge: Callable[[bytes, int, int], _Found | None]
    needs: tuple[bytes, ...]

    def look(self, text: bytes, heads: Heads) -> Iterable[Span]:
        for start, end in heads:
            heads.read(start, 0)
            found = self.judge(text, start, end)
            if found:
                yield Span(found.at, found.at + len(found.value), found.kind)


_CONTEXTS = [
    _Context(
        "authorization",
        rf"(?i)authorization(?:{_Q})?[\])]*\s*(?:=>|[:=,])\s*(?:[bfur]?{_Q})?\s*(?:(?:bearer|basic|token|api-?key|digest"
        r"|negotiate|oauth|key|bot|splunk|sso-key|ghs)[ :=]+(?:token=)?\"?)?",
        _authorization,
        (b"authorization",),
    ),
    _Context("bearer", r"(?i)bearer(?:\s+|%20|\+)", _bearer, (b"bearer",)),
    _Context("basic", r"(?i)basic(?:[ \t]+|%20|\+)", _basic, (b"basic",)),
    _Context("docker auth", rf"\b_?auth(?:{_Q})?\s*[:=]\s*(?:{_Q})?", _docker_auth, (b"auth",)),
    _Context(
        "option",
        rf"(?i)(?:^|[\s\"'`(,])--?{_OPTION_NAME}(?:[ \t]+|{_Q},?\s+)(?:{_Q})?",
        _option,
        (b"pass", b"pwd", b"token", b"secret", b"key"),
    ),
    _Context("sshpass", rf"sshpass\s+-p\s*(?:{_Q})?", _stated, (b"sshpass",)),
    _Context("mysql", rf"\s-p(?:{_Q})?", _after_command(b"mysql", b"mariadb"), (b"mysql", b"mariadb")),
    _Context(
        "login -p",
        rf"\s(?:-p|-w|-a)[ \t]+(?:{_Q})?",
        _after_command(
            b"docker login", b"podman login", b"oc login", b"az login", b"acr login", b"registry login", b"redis-cli",
            b"ldapsearch", b"psexec",
        ),
        (b"login", b"redis-cli", b"ldapsearch", b"psexec"),
    ),
    _Context(
        "user",
        rf"\s-u[ \t]*(?:{_Q})?|--(?:proxy-)?user[ =](?:{_Q})?|\s-a[ \t]+(?:{_Q})?",
        _user,
        (b"-u", b"--user", b"--proxy-user", b"-a"),
    ),
    _Context("netrc", rf"(?i)\b(?:login|account|user)\s+\S+\s+password\s+(?:{_Q})?", _stated, (b"password",)),
    _Context(
        "configure",
        rf"(?i)configure\s+set\s+[\w.]*(?:secret|token|key|password)\w*\s+(?:{_Q})?",
        _stated,
        (b"configure",),
    ),
    _Context(
        "sql",
        r"(?i)identified\s+(?:with\s+\S+\s+)?by\s+(?:password\s+)?\\*[\"']"
        r"|(?:with|encrypted|set|=)\s+password\s*[(=]?\s*(?:for\s+\S+\s*=\s*)?\\*[\"']|password\s*\(\s*\\*'",
        _stated,
        (b"identified", b"password"),
    ),
    _Context("powershell", rf"(?i)ConvertTo-SecureString\s+(?:-String\s+)?{_Q}", _stated, (b"securestring",)),
    _Context("openssl", r"\bpass(?:in|out)?(?:[ \t]+|=)(?:\\*[\"'])?pass:", _stated, (b"pass:",)),
    _Context(
        "login call",
        r"(?i)(?:log_?in|log_?on|sign_?in|connect|authenticate|auth|credentials?|password_?authentication|create_?user)"
        rf"\s*=?\s*\(\s*[bru]?{_Q}[^\"'`\n]*{_Q}\s*,\s*[bru]?{_Q}",
        _strong_argument,
        (b"login", b"log_in", b"logon", b"log_on", b"sign", b"connect", b"auth", b"credential", b"create"),
    ),
    _Context(
        "said",
        r"(?i)(?:pass(?:word|wd|code|phrase)|pwd|api[ _-]?key|secret|token)(?:\s+is|\s+was|:)?\s+(?:\\*[\"'`])?",
        _said,
        (b"pass", b"pwd", b"key", b"secret", b"token"),
    ),
    _Context(
        "oracle",
        r"(?i)jdbc:oracle:(?:thin|oci8?):|sqlplus\s+(?:-\w\s+)*|(?:impdp|expdp|sqlldr)\s+",
        _slashed,
        (b"oracle:", b"sqlplus", b"impdp", b"expdp", b"sqlldr"),
    ),
    _Context("go driver", r"@(?:tcp|udp|unix)\(", _driver, (b"@",)),
]  # fmt: skip


def _cookies(text: bytes, heads: Heads) -> Iterable[Span]:
    for start, at in heads:
        while heads.goes_on(at) and (match := _PAIR.match(text, at, min(len(text), at + MAX_VALUE_BYTES))):
            name, value, separator = match.groups()
            long_enough = len(value) >= 6 and not is_placeholder(value) and (mixes(value) or len(value) >= 16)
            if name.lower() not in _COOKIE_ATTRIBUTES and long_enough:
                yield Span(match.span(2)[0], match.span(2)[1], "cookie")
            at = match.end()
            if not separator:
                break
        heads.pass_over(at)


COOKIES = Detector.of("cookies", rf"(?i)cookie(?:{_Q})?[\])]*\s*(?:[:=,]|=>)\s*(?:[bfur]?{_Q})?", _cookies, b"cookie")
CONTEXTS = [*(Detector.of(c.name, c.heads, c.look, *c.needs) for c in _CONTEXTS), COOKIES]
