"""Whether a value beside a name such as `password` is a secret, or code, a placeholder or a word.

Values are judged by their first `MAX_VALUE_BYTES`.
"""

from math import log2

from transforms.core.protecting.scrubbing.spans import compiled

MAX_VALUE_BYTES = 512
_PLACEHOLDER_WORDS = frozenset(
    b"password passwd pwd pass passphrase secret token key apikey api_key api-key username user login admin root"
    b" none null nil undefined true false yes no string str text bytes number int bool boolean object any void"
    b" example sample default empty missing required optional unknown invalid disabled enabled hidden redacted removed"
    b" changeme change_me changeit replace_me replaceme todo fixme your_password yourpassword mypassword"
    b" bearer basic session cookie test testing dummy fake mock value input prompt basestring optional[str]".split()
)
_PLACEHOLDER = (
    r"(?i:[$<{%@]\s*[{(]?.*|.*(?:\$\{|\{\{|#\{|%\(|<redacted|\.\.\.).*|(?:your|my|insert|enter|replace|put|the|some)"
    r"[\s_-].*|(?:x+|\*+|\.+|-+|_+|0+|a+|#+|\?+)|.*(?:xxxx|\*\*\*\*|placeholder|changeme|example_).*"
    r"|(?:process|os|env|self|this|config|options|settings|args|params|props)\b[.\[].*)"
)
_DOTTED_NAME = compiled(r"[A-Za-z_$][\w$]*(?:(?:\.|->|::)[A-Za-z_$][\w$]*)+")
_PLAIN_NAME = compiled(r"[A-Za-z_$][A-Za-z_$-]*")
_NAME = compiled(r"[A-Za-z_$][\w$]*")
_NAMES_A_SECRET = compiled(r"(?i)pass|pwd|secret|token|key|cred|auth|user|value|param|field|name")
_PLACE = r"(?i:(?:[a-z][a-z0-9+.-]*://|\.{0,2}/[\w.-]+/|[a-z]:[\\/]|~/).*)"
_CODE = r".*(?:\(\)|\) \{|=>|\{\}|\[\]|</|; ).*|[)\],;+:.=|&?!].*"
_IS_PLACEHOLDER, _IS_PLACE = compiled(_PLACEHOLDER), compiled(_PLACE)
_IS_NO_PASSWORD = compiled(f"{_PLACEHOLDER}|{_PLACE}|{_CODE}")
"""All three at once: each call costs more than what it does."""

_LETTER = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGIT = frozenset(b"0123456789")
_HEX_OR_DASH = frozenset(b"0123456789abcdefABCDEF-")


def entropy(value: bytes) -> float:
    """Bits a byte by the value's own frequencies: words have about 3, random Base64 of 32 bytes about 4.5."""
    size = len(value)
    return -sum(n / size * log2(n / size) for n in (value.count(c) for c in set(value)))


def is_placeholder(value: bytes) -> bool:
    """Whether it only stands for a secret: `${X}`, `<token>`, `xxxx`, `changeme`, `None`, the word `password`."""
    return _is_word_or_run(value) or bool(_IS_PLACEHOLDER.fullmatch(value))


def _is_word_or_run(value: bytes) -> bool:
    return value.lower() in _PLACEHOLDER_WORDS or len(set(value)) < 3


def mixes(value: bytes) -> bool:
    """Whether letters stand together with digits."""
    found = set(value)
    return bool(found & _LETTER and found & _DIGIT)


def is_random(value: bytes, least: int = 16) -> bool:
    """Whether it looks drawn at random: long, letters with digits, even frequencies, no place and no dotted name."""
    if len(value) < least or not mixes(value) or is_placeholder(value):
        return False
    if b" " in value or _DOTTED_NAME.fullmatch(value) or (_IS_PLACE.fullmatch(value) and not _is_base64(value)):
        return False
    return entropy(value) >= (2.6 if set(value) <= _HEX_OR_DASH else 3.0 if len(value) < 20 else 3.2)


def _is_base64(value: bytes) -> bool:
    return len(value) >= 40 and value.count(b"/") <= 1 + len(value) // 20 and entropy(value) > 4.2


def is_password(value: bytes, *, quoted: bool) -> bool:
    """Whether a value beside a name for a password is one, rather than code or a text about passwords.

    A quoted one may be any word but a placeholder; with spaces one of its words
    must mix letters with digits. A bare one must mix them, as code's names
    seldom do, or hold a sign that names cannot.
    """
    if len(value) < 4 or _is_word_or_run(value) or _IS_NO_PASSWORD.fullmatch(value):
        return False
    if b" " in value or b"\n" in value:
        words = value.split()
        return len(words) <= 8 and any(len(w) >= 6 and mixes(w) and not _NAME.fullmatch(w[:-1]) for w in words)
    if _DOTTED_NAME.fullmatch(value):
        return False
    if quoted:
        return not (_PLAIN_NAME.fullmatch(value) and (len(value) < 6 or bool(_NAMES_A_SECRET.search(value))))
    if _NAME.fullmatch(value):
        return mixes(value) and len(value) >= 6 and not _NAMES_A_SECRET.search(value)
    return mixes(value) or bool(set(value) & set(b"!#$%^&*@?~"))


def is_strong(value: bytes) -> bool:
    """Whether it is a password by its looks alone: letters with digits, and a sign, both cases, or length."""
    if not 6 <= len(value) <= 128 or not mixes(value) or not is_password(value, quoted=True) or b" " in value:
        return False
    signs = set(value) & set(b"!#$%^&*@?~+=")
    cases = value != value.lower() and value != value.upper()
    return bool(signs or (cases and len(value) >= 8) or is_random(value))
