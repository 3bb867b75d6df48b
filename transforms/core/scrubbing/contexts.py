"""Values that stand where a secret stands: headers, cookies, options of commands, SQL, calls that log in."""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator

from transforms.core.scrubbing.engine import Detector, Span, begins_word, compiled
from transforms.core.scrubbing.values import (
    MAX_VALUE_BYTES,
    is_password,
    is_placeholder,
    is_random,
    is_strong,
    mixes,
)

_Q = r"\\*[\"'`]"
_COMMAND_BYTES = 300
_VALUE = compiled(r"[^\s\"'`\\<>,;(){}]+")
_CREDENTIAL = compiled(r"[A-Za-z0-9._~+/:-]+={0,2}")
_PAIR = compiled(r"[ \t]*([\w.$-]+)=([^\s\"'`\\,;<>(){}]*)(;?)", captures=True)
_COOKIE_ATTRIBUTES = frozenset(b"path domain expires max-age samesite secure httponly priority partitioned version".split())
_HEX = frozenset(b"0123456789abcdefABCDEF")


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


def _authorization(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
    value = _run(text, end, _CREDENTIAL)
    scheme = text[start:end].lower()
    if b"basic" in scheme and _is_basic(value):
        return end, value, "authorization"
    named = any(s in scheme for s in (b"bearer", b"token", b"apikey", b"api-key", b"key", b"bot", b"splunk", b"sso", b"digest"))
    if is_placeholder(value) or (not mixes(value) and len(value) < 24) or b"://" in value:
        return None
    good = len(value) >= 8 and mixes(value) if named else is_random(value, 16)
    return (end, value, "authorization") if good else None


def _bearer(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
    value = _run(text, end, _CREDENTIAL)
    return (end, value, "authorization") if begins_word(text, start) and is_random(value, 16) else None


def _basic(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
    value = _run(text, end, _CREDENTIAL)
    good = begins_word(text, start) and len(value) >= 8 and not is_placeholder(value) and _is_basic(value)
    return (end, value, "authorization") if good else None


def _docker_auth(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
    del start
    value = _run(text, end, _CREDENTIAL)
    return (end, value, "authorization") if len(value) >= 8 and _is_basic(value) else None


def _option(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
    del start
    value = _run(text, end)
    if value.startswith(b"-"):
        return None
    good = is_password(value, quoted=False) and (mixes(value) or text[end - 1] in b"\"'")
    return (end, value, "password") if good else None


def _after_command(*commands: bytes) -> Callable[[bytes, int, int], tuple[int, bytes, str] | None]:
    def look(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
        window = text[max(0, start - _COMMAND_BYTES) : start]
        if not any(command in window for command in commands):
            return None
        value = _run(text, end)
        return (end, value, "password") if len(value) >= 3 and not is_placeholder(value) else None

    return look


def _user(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
    value = _run(text, end)
    user, colon, password = value.partition(b":")
    if not colon or not password or is_placeholder(password):
        return None
    window = text[max(0, start - _COMMAND_BYTES) : start]
    sure = any(command in window for command in (b"curl", b"wget", b"http ", b"https ", b"xh "))
    good = not password.isdigit() if sure else is_strong(password)
    return (end + len(user) + 1, password, "password") if good else None


def _stated(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
    del start
    value = _run(text, end, _SECRET_WORD)
    return (end, value, "password") if len(value) >= 3 and not is_placeholder(value) else None


def _said(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
    value = _run(text, end)
    good = begins_word(text, start) and (is_strong(value) or is_random(value, 12))
    return (end, value, "password") if good else None


def _strong_argument(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
    del start
    value = _run(text, end, _SECRET_WORD)
    return (end, value, "password") if is_strong(value) else None


def _slashed(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
    del start
    value = _run(text, end, _USER_SLASH)
    good = value and not is_placeholder(value.partition(b"/")[2][:-1])
    return (end, value[:-1], "url_credentials") if good else None


def _driver(text: bytes, start: int, end: int) -> tuple[int, bytes, str] | None:
    """`user:password@tcp(host)` of Go's drivers: the password stands before what was found."""
    del end
    before = _PASSWORD_BEFORE.search(text[max(0, start - 200) : start])
    if before is None or is_placeholder(before.group(1)):
        return None
    value = before.group(1)
    return start - len(value), value, "url_credentials"


_SECRET_WORD = compiled(r"[^\s\"'`\\<>]+")
_USER_SLASH = compiled(r"[\w.$-]+/[^\s\"'`\\<>@/]+@")
_PASSWORD_BEFORE = compiled(r"[\w.-]+:([^\s\"'`/@<>]+)\z", captures=True)

_SECRET_OPTION = r"(?:[\w-]*-)?(?:password|passwd|pass|passphrase|pwd|token|secret|api-?key|access-?key|secret-?key|auth-?token)"
_CONTEXTS: dict[str, tuple[str, Callable[[bytes, int, int], tuple[int, bytes, str] | None], str]] = {
    "authorization": (
        rf"(?i)authorization(?:{_Q})?[\])]*\s*(?:=>|[:=,])\s*(?:[bfur]?{_Q})?\s*"
        r"(?:(?:bearer|basic|token|api-?key|digest|negotiate|oauth|key|bot|splunk|sso-key|ghs)[ :=]+(?:token=)?\"?)?",
        _authorization, "authorization"),
    "bearer": (r"(?i)bearer(?:\s+|%20|\+)", _bearer, "bearer"),
    "basic": (r"(?i)basic(?:[ \t]+|%20|\+)", _basic, "basic"),
    "docker auth": (rf"\b_?auth(?:{_Q})?\s*[:=]\s*(?:{_Q})?", _docker_auth, "auth"),
    "option": (rf"(?i)(?:^|[\s\"'`(,])--?{_SECRET_OPTION}(?:[ \t]+|{_Q},?\s+)(?:{_Q})?", _option, "pass pwd token secret key"),
    "sshpass": (rf"sshpass\s+-p\s*(?:{_Q})?", _stated, "sshpass"),
    "mysql": (rf"\s-p(?:{_Q})?", _after_command(b"mysql", b"mariadb"), "mysql mariadb"),
    "login -p": (rf"\s(?:-p|-w|-a)[ \t]+(?:{_Q})?", _after_command(b"docker login", b"podman login", b"redis-cli", b"ldapsearch", b"helm registry", b"az login", b"az acr login", b"oc login", b"psexec"), "login redis-cli ldapsearch registry psexec"),
    "user": (rf"\s-u[ \t]*(?:{_Q})?|--(?:proxy-)?user[ =](?:{_Q})?|\s-a[ \t]+(?:{_Q})?", _user, "-u --proxy-user -a"),
    "netrc": (rf"(?i)\b(?:login|account|user)\s+\S+\s+password\s+(?:{_Q})?", _stated, "password"),
    "aws configure": (rf"(?i)configure\s+set\s+[\w.]*(?:secret|token|key|password)\w*\s+(?:{_Q})?", _stated, "configure"),
    "sql": (
        r"(?i)identified\s+(?:with\s+\S+\s+)?by\s+(?:password\s+)?\\*[\"']|(?:with|encrypted|set|=)\s+password\s*[(=]?\s*(?:for\s+\S+\s*=\s*)?\\*[\"']"
        r"|password\s*\(\s*\\*'",
        _stated, "identified password"),
    "powershell": (rf"(?i)ConvertTo-SecureString\s+(?:-String\s+)?{_Q}", _stated, "securestring"),
    "openssl": (r"\bpass(?:in|out)?(?:[ \t]+|=)(?:\\*[\"'])?pass:", _stated, "pass:"),
    "login call": (
        r"(?i)(?:log_?in|log_?on|sign_?in|connect|authenticate|auth|credentials?|password_?authentication|create_?user)\s*=?\s*"
        rf"\(\s*[bru]?{_Q}[^\"'`\n]*{_Q}\s*,\s*[bru]?{_Q}",
        _strong_argument, "log_in login logon log_on sign_in signin connect auth credential create_user createuser"),
    "said": (r"(?i)(?:password|passwd|passcode|passphrase|pwd|api[ _-]?key|secret|token)(?:\s+is|\s+was|:)?\s+(?:\\*[\"'`])?", _said, "pass pwd key secret token"),
    "oracle": (r"(?i)jdbc:oracle:(?:thin|oci8?):|sqlplus\s+(?:-\w\s+)*|(?:impdp|expdp|sqlldr)\s+", _slashed, "oracle: sqlplus impdp expdp sqlldr"),
    "go driver": (r"@(?:tcp|udp|unix)\(", _driver, "@"),
}  # fmt: skip


def _detector(name: str, heads: str, judge: Callable[[bytes, int, int], tuple[int, bytes, str] | None], needs: str) -> Detector:
    def look(text: bytes, found: Iterator[tuple[int, int]]) -> Iterable[Span]:
        for start, end in found:
            value = judge(text, start, end)
            if value:
                yield Span(value[0], value[0] + len(value[1]), value[2])

    return Detector.of(name, heads, look, *needs.encode().split())


def _cookies(text: bytes, heads: Iterator[tuple[int, int]]) -> Iterable[Span]:
    done = 0
    for start, end in heads:
        at = max(end, done)
        if start < done:
            continue
        while match := _PAIR.match(text, at, min(len(text), at + MAX_VALUE_BYTES)):
            name, value = match.group(1), match.group(2)
            long_enough = len(value) >= 6 and not is_placeholder(value) and (mixes(value) or len(value) >= 16)
            if name.lower() not in _COOKIE_ATTRIBUTES and long_enough:
                yield Span(match.span(2)[0], match.span(2)[1], "cookie")
            at = match.end()
            if not match.group(3):
                break
        done = at


COOKIES = Detector.of("cookies", rf"(?i)cookie(?:{_Q})?[\])]*\s*(?:[:=,]|=>)\s*(?:[bfur]?{_Q})?", _cookies, b"cookie")
CONTEXTS = [*(_detector(name, *rest) for name, rest in _CONTEXTS.items()), COOKIES]
