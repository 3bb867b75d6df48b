"""Values that stand beside a name for a secret: `password = "x"`, `API_KEY=x`, `<secret>x</secret>`, `setToken("x")`.

The name and the sign after it are found first; then the value, of at most
`MAX_VALUE_BYTES`, is read and judged. How strictly depends on the name: beside
`password` any word but a placeholder goes, beside `key` only what looks drawn
at random.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from transforms.core.protecting.scrubbing.density import Heads
from transforms.core.protecting.scrubbing.engine import Detector
from transforms.core.protecting.scrubbing.spans import Span, compiled
from transforms.core.protecting.scrubbing.values import (
    MAX_VALUE_BYTES,
    is_password,
    is_placeholder,
    is_random,
    is_strong,
)

if TYPE_CHECKING:
    from re2 import _Match

_NAME_BYTES = 100
_WORDS = (
    r"pass(?:w(?:or[dt]e?|d)|phrase|code)?|pwd|passw|secret|token|credentials?|cred|key|auth|mnemonic|sess(?:ion)?_?id"
    r"|\bsid|signature|salt|pepper|kennwort|contrase\S{1,2}a|senha|mot_?de_?passe"
)
_QUOTE = r"\\*[\"'`]"
_TYPE = r"\s*\??\s*:\s*(?:&?(?:'static\s+)?[A-Za-z_][\w.]*(?:<[\w ,]+>|\[[\w ,]*\])?\??(?:\s*\|\s*\w+)?)\s*=[ \t]*"
_SIGN = (
    rf"{_TYPE}|\s*(?::=|=>|[=!]==?|->|\?\?=?|\|\|=?|\?=|[:=])\s*|[ \t]*,[ \t]*(?:[\w]+[ \t]*=[ \t]*)?"
    rf"|\s*\(\s*|>\s*(?:<!\[CDATA\[)?|\s+value\s*=\s*"
)
_HEADS = rf"(?i)(?:{_WORDS})[\w.$-]*(?:{_QUOTE})?\]?(?:{_SIGN})"
_PARTS = compiled(rf"(?i)([\w.$-]*)((?:{_QUOTE})?\]?)({_SIGN})", captures=True)
_NAME_BEFORE = compiled(r"[\w.$-]+\z")
_NAME_END = frozenset(bytes([c]) for c in b"$-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_PREFIXED_QUOTE = compiled(r"(?:[bBuUrRfFL@$]{1,2}|\(\s*|new\s+String\(\s*)?\\*(?:\"\"\"|'''|[\"'`])")
_BEFORE_QUOTE = frozenset(bytes([c]) for c in b"bBuUrRfFL@$(n\\\"'`")
_BARE = compiled(r"[^\s\"'`<>(){}\[\],;\\|\x00-\x1f]+")
_NO_SECRET_AFTER = compiled(
    r"(?i)[s_.-]*(?:i[sz]\w*|ary|ariat\w*|y(?:_.*)?|_?(?:types?|names?|ids?|urls?|uris?|hosts?|files?|paths?|dirs?|size|len"
    r"|length|counts?|limits?|index|max|min|field\w*|labels?|hints?|policy|placeholder|inputs?|prompts?|errors?|err"
    r"|messages?|msg|regexp?|pattern|class|format|prefix|suffix|stores?|ring|word|words|board|down|up|press|frames?|map"
    r"|manager|provider|service|factory|list|set|expir\w*|exp|ttl|valid\w*|required|enabled|strength|usage|position|pos"
    r"|kinds?|column|version|alg\w*|method|endpoint|reset\w*|change\w*|link|page|view|form|button|icon|title|text"
    r"|s_?used|_?budget|stream|iz\w+|scope|parser|info|status|state|mode|ref|arn|env|var|header))"
)
_STRONG_NAME = compiled(
    r"(?i).*(?:pass(?:w(?:or[dt]e?|d)|phrase|code)|pwd|passw|secret|kennwort|contrase|senha|passe|mnemonic).*"
    r"|(?:.*[_.-])?pass"
)
_MIDDLE_NAME = compiled(
    r"(?i).*(?:api|access|auth|private|account|subscription|master|encrypt\w*|signing|storage|shared|client|license|app"
    r"|deploy|hmac|crypto|webhook|consumer|admin|service|ingest|write|read)[_.-]?(?:key|token).*|.*token|.*token[_.-].*"
)
_PHRASE_NAME = compiled(r"(?i).*(?:passphrase|mnemonic|seed.?phrase)")
_ENV_NAME = compiled(r"[A-Z][A-Z0-9_]*")
_CALLER = compiled(
    r"(?i)(?:.*[.>:])?(?:(?:set|with|use|add)[_A-Z].*|password|passwd|pwd|secret|.*(?:credential|key|token|string))"
)
_CALL_OR_PATH = frozenset(b"([{")


def _look(text: bytes, heads: Heads) -> Iterable[Span]:
    for start, end in heads:
        span = _value(text, start, end, heads)
        if span:
            yield span
            heads.pass_over(span.end)


class _Assignment(NamedTuple):
    """A name and a sign at `start` to `end`, after which a value stands; `strictness` as `_strictness` says it."""

    start: int
    end: int
    name: bytes
    sign: bytes
    strictness: str


def _value(text: bytes, start: int, end: int, heads: Heads) -> Span | None:
    parts = _PARTS.fullmatch(text, start, end)
    if parts is None:
        return None
    rest, closing, raw_sign = parts.groups()
    name = _name_before(text, start) + rest
    strictness = _strictness(name) if len(name) <= _NAME_BYTES else None
    if strictness is None:
        return None
    assigned = _Assignment(start, end, name, raw_sign.strip(), strictness)
    quote = text[end : end + 1] in _BEFORE_QUOTE and _PREFIXED_QUOTE.match(text, end, min(len(text), end + 32))
    if quote:
        return _quoted(text, quote, assigned, heads)
    if assigned.sign[:1] in (b",", b"(", b"?", b"|", b"-", b"!") or assigned.sign[:2] in (b"==", b"=>", b"||"):
        return None
    if assigned.sign == b"=" and closing in (b"", b"]") and name.startswith((b"self.", b"this.")):
        return None
    return _bare(text, assigned, heads)


def _name_before(text: bytes, start: int) -> bytes:
    before = text[max(0, start - 40) : start]
    found = before[-1:] in _NAME_END and _NAME_BEFORE.search(before)
    return found.group() if found else b""


@lru_cache(maxsize=4096)
def _strictness(name: bytes) -> str | None:
    """`password`, `token` or `key` by what the name says; None where it names something beside a secret."""
    lowered = name.lower()
    end = max((lowered.rfind(word) + len(word) for word in _PLAIN_WORDS if word in lowered), default=0)
    tail = name[end:]
    if tail and _NO_SECRET_AFTER.fullmatch(tail):
        return None
    if _STRONG_NAME.fullmatch(name):
        return "password"
    return "token" if _MIDDLE_NAME.fullmatch(name) else "key"


_PLAIN_WORDS = tuple(
    b"password passwd passphrase passcode passwort pwd pass secret token credential cred key auth mnemonic kennwort"
    b" senha sessid sessionid session_id sid signature salt pepper".split()
)


def _quoted(text: bytes, quote: "_Match", assigned: _Assignment, heads: Heads) -> Span | None:
    _, _, name, sign, strictness = assigned
    opened = quote.end()
    opening = quote.group()
    mark = opening[len(opening.rstrip(b"\\\"'`")) :]
    closed = text.find(mark, opened, opened + MAX_VALUE_BYTES)
    line_end = text.find(b"\n", opened, opened + MAX_VALUE_BYTES)
    if len(mark) < 3 and line_end >= 0 and (closed < 0 or line_end < closed):
        closed = -1
    if closed < 0:  # cut short: up to the line's end
        end = min(e for e in (line_end, len(text), opened + MAX_VALUE_BYTES) if e >= 0)
        value = text[opened:end].rstrip()
        heads.read(assigned.start, len(value))
        return _span(opened, value) if _judged(value, strictness, quoted=False) else None
    value = text[opened:closed]
    heads.read(assigned.start, len(value))
    if strictness == "key" and sign[:1] == b":" and b" " in value:
        return None
    if sign[:1] == b"(" and not _CALLER.fullmatch(name):
        return None
    if sign[:1] in (b",", b"(") or sign[:2] in (b"->", b"=>")[:1]:
        good = is_strong(value) if strictness != "key" else is_random(value, 20)
    elif _PHRASE_NAME.fullmatch(name) and 3 <= len(value.split()) <= 24:
        good = not is_placeholder(value)
    else:
        good = _judged(value, strictness, quoted=True)
    return _span(opened, value) if good else None


def _bare(text: bytes, assigned: _Assignment, heads: Heads) -> Span | None:
    start, end, name, sign, strictness = assigned
    match = _BARE.match(text, end, min(len(text), end + MAX_VALUE_BYTES))
    if match is None:
        return None
    value = match.group()
    heads.read(start, len(value))
    if sign[:1] == b">" and text[match.end() : match.end() + 1] != b"<":
        return None
    before = text[max(0, start - 40) : start]
    query = max(before.rfind(b"?"), before.rfind(b"&"))
    if query >= 0 and not set(before[query:]) & set(b" ;\"'\n"):
        value = value.partition(b"&")[0]
    if match.end() == end + len(value) and text[match.end() : match.end() + 1] and text[match.end()] in _CALL_OR_PATH:
        return None  # code: a call or an index
    tight = text[end - 1 : end] == sign[-1:] and text[end - len(sign) - 1 : end - len(sign)] not in (b" ", b"\t")
    if tight and sign == b"=" and _ENV_NAME.fullmatch(name):
        good = not is_placeholder(value) and len(value) >= 4 and _env_value(value, strictness)
    else:
        good = _judged(value, strictness, quoted=False)
    if good and len(value) == MAX_VALUE_BYTES:
        value = _BARE.match(text, end).group()
    return _span(end, value) if good else None


def _env_value(value: bytes, strictness: str) -> bool:
    """A value of an environment line or a shell's variable: anything beside a password, else with a digit."""
    if strictness == "password":
        return not value.startswith((b"/run/", b"/etc/", b"./", b"~/")) and b"://" not in value and b"()" not in value
    return is_random(value, 8) or (strictness == "token" and is_password(value, quoted=False))


def _judged(value: bytes, strictness: str, *, quoted: bool) -> bool:
    if strictness == "password":
        return is_password(value, quoted=quoted)
    if strictness == "token":
        return is_random(value, 8 if quoted else 12) or (quoted and is_strong(value))
    return is_random(value, 20)


def _span(start: int, value: bytes) -> Span:
    return Span(start, start + len(value), "password")


ASSIGNMENTS = Detector.of("assignments", _HEADS, _look)
