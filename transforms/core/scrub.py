"""Spans of secrets and personal data in free text and code become `<REDACTED:kind>`.

Clients mark values as trusted, which switches the editor's own scrubbing off;
so nothing is assumed clean. Formats of tokens are the issuers' published ones.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_IPV4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\w)"
_IPV6 = r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{0,4})(?![\w:])"
_NAMES_OF_SECRETS = (
    r"[\w-]*(?:password|passwd|passphrase|pwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token)[\w-]*"
)
_PEM = r"[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_TOKENS = {
    "private_key": rf"-----BEGIN {_PEM}[\s\S]*?(?:-----END {_PEM}|\Z)",
    "jwt": r"(?<![\w-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    "github_token": r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})",
    "slack_token": (
        r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}|https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,}"
    ),
    "google_key": r"(?<![A-Za-z0-9])(?:AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{28})",
    "aws_key": r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}(?![A-Za-z0-9])",
    "azure_key": (
        r"(?<=AccountKey=)[A-Za-z0-9+/]{86}==|(?<=SharedAccessKey=)[A-Za-z0-9+/]{43}="
        r"|(?<=[?&]sig=)[A-Za-z0-9%+/]{40,}(?:=|%3[Dd])?"
        r"|(?<![\w~.-])[\w~.-]{3}[78]Q~[\w~.-]{31,34}(?![\w~.-])"
    ),
    "openai_key": r"(?<![A-Za-z0-9])sk-(?:proj-|svcacct-|admin-|ant-[a-z0-9]+-)?[A-Za-z0-9_-]{20,}",
    "npm_token": r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}",
    "url_credentials": r"(?<=://)[^\s/:@\"'<>`]+:[^\s/@\"'<>`]+(?=@)",
    "password": (
        rf"(?i:{_NAMES_OF_SECRETS})[\"']?\]?\s*(?::=|=>|[:=])\s*[\"'](?P<quoted>[^\"'\s]{{4,}})[\"']"
        r"|(?<![\w.])[A-Z0-9_]*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_KEY|ACCESS_KEY)="
        r"(?P<bare>[^\s\"'$<>(){};,&|]{4,})"
    ),
    "email": r"(?<![\w.%+-])[A-Za-z0-9][\w.%+-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}(?![\w-])",
    "ip_address": rf"{_IPV4}|{_IPV6}",
}
_PATH = (
    r"(?:file:///?|(?<![\w.~<>/:\\]))(?:[A-Za-z]:[\\/]{1,2}|~/|\\\\[\w.$-]+\\|/)"
    r"(?:[^\s\"'<>|:*?()\[\]{},;`/\\]+(?: [\w.-]+(?=[\\/]))*[\\/]{1,2})+[^\s\"'<>|:*?()\[\]{},;`/\\]*"
)
_KEPT_TAIL = re.compile(r"[\\/](?:node_modules|extensions)[\\/](?!.*[\\/](?:node_modules|extensions)[\\/]).*$")


@dataclass(frozen=True)
class Scrubber:
    """Patterns and a prefilter that finds, at RE2's speed, the few texts worth a closer look."""

    pattern: re.Pattern[str]
    prefilter: str


def _compiled(kinds: dict[str, str], prefilter: str) -> Scrubber:
    return Scrubber(re.compile("|".join(f"(?P<{k}>{p})" for k, p in kinds.items())), prefilter)


_PREFILTER = (
    r"@|eyJ|PRIVATE KEY|gh[pousr]_|github_pat_|xox[abeoprs]-|hooks\.slack|AIza|ya29\.|GOCSPX|AKIA|ASIA|ABIA|ACCA"
    r"|AccountKey|AccessKey|sig=|Q~|sk-|npm_|\\u00|\d\.\d{1,3}\.\d{1,3}\.\d|[0-9A-Fa-f:]:[0-9A-Fa-f:]"
    r"|(?i:passw|passphrase|pwd|secret|key|token)"
)
CODE = _compiled(_TOKENS, _PREFILTER)
"""For code: tokens, keys, credentials, passwords, e-mail and IP addresses."""

ERRORS = _compiled({**_TOKENS, "path": _PATH}, rf"{_PREFILTER}|[/\\]")
"""For errors: the same, and file paths, of which only what lies in an extension or node module stays."""


def scrub_text(text: str, scrubber: Scrubber, counts: Counter[str]) -> str:
    """The text with each span replaced; counts what was replaced by kind."""

    def replace(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        span = match.group()
        if kind in ("quoted", "bare", "password"):
            return _password(match, counts)
        if kind == "ip_address" and not _is_address(span):
            return span
        counts[kind] += 1
        tail = _KEPT_TAIL.search(span) if kind == "path" else None
        return f"<REDACTED:{kind}>{tail.group() if tail else ''}"

    return scrubber.pattern.sub(replace, text)


def _password(match: re.Match[str], counts: Counter[str]) -> str:
    group = "quoted" if match.group("quoted") is not None else "bare"
    start, end = (i - match.start() for i in match.span(group))
    span = match.group()
    counts["password"] += 1
    return f"{span[:start]}<REDACTED:password>{span[end:]}"


def _is_address(span: str) -> bool:
    """Whether it is an address of somebody's: not loopback, not 0.0.0.0, not `a::b` of C++."""
    try:
        if ":" not in span:
            v4 = IPv4Address(span)
            return not (v4.is_loopback or v4.is_unspecified)
        v6 = IPv6Address(span)
    except (AddressValueError, ValueError):
        return False
    groups = [g for g in span.split(":") if g]
    return (len(groups) >= 3 or "." in span) and any(c.isdigit() for c in span) and not v6.is_loopback


def scrub_json(text: str, scrubber: Scrubber, counts: Counter[str]) -> str:
    """JSON text with every string in it scrubbed, still JSON; text that is no JSON as it is.

    Scrubbing the text itself would miss what hides behind escapes and could
    cut an escape in two.
    """
    try:
        document = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return scrub_text(text, scrubber, counts)
    found: Counter[str] = Counter()
    scrubbed = _walked(document, lambda t: scrub_text(t, scrubber, found))
    if not found:
        return text
    counts.update(found)
    return msgspec.json.encode(scrubbed).decode()


def _walked(value: Any, function: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return function(value)
    if isinstance(value, list):
        return [_walked(v, function) for v in value]
    if isinstance(value, dict):
        return {function(k): _walked(v, function) for k, v in value.items()}
    return value


def scrub_column(
    values: pa.Array, scrubber: Scrubber, counts: Counter[str], *, is_json: bool = False
) -> tuple[pa.Array, np.ndarray | None]:
    """The column scrubbed, and how many spans each row lost (None: none did anywhere)."""
    if values.null_count == len(values):
        return values, None
    suspects = pc.indices_nonzero(pc.match_substring_regex(values, scrubber.prefilter).fill_null(False))
    if not len(suspects):
        return values, None
    function = scrub_json if is_json else scrub_text
    texts = values.to_pylist()
    spans = np.zeros(len(values), dtype=np.int32)
    for row in suspects.to_pylist():
        found: Counter[str] = Counter()
        texts[row] = function(texts[row], scrubber, found)
        spans[row] = found.total()
        counts.update(found)
    return pa.array(texts, pa.string()), spans
