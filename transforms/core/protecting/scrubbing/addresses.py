"""Addresses of people and machines: e-mail, IPv4, IPv6, MAC."""

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv6Address

from transforms.core.protecting.scrubbing.density import Heads
from transforms.core.protecting.scrubbing.engine import Detector
from transforms.core.protecting.scrubbing.spans import HIGH, Span, compiled

_DOMAIN = compiled(rf"(?:[A-Za-z0-9{HIGH}_-]+\.)+[A-Za-z{HIGH}][A-Za-z0-9{HIGH}-]*")
_LOCAL_BEFORE = compiled(rf"[A-Za-z0-9{HIGH}_][\w.%+'{HIGH}-]*\z")
_QUOTED_BEFORE = compiled(r"\"[^\"\s@<>]+\"\z")
_NO_MAILBOX_END = frozenset((b"", *(bytes([c]) for c in b" \t\r\n()[]{}<>,;:=/\\|`@")))
_MAILBOX_BYTES, _DOMAIN_BYTES = 128, 260
_NO_TOP_LEVEL = frozenset(
    b"png jpg jpeg gif svg webp css scss js mjs cjs jsx tsx json html txt lock tgz whl exe dll".split()
)
_LOGIN = compiled(r"(?i)(?:ssh|scp|sftp|rsync|mosh|mailto:?|ssh-remote\+)(?:\s+-\w+)*[\s:+]*\z")
_HOST = compiled(r"[A-Za-z0-9][\w-]*")
_WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_WORD_OR_DOT = _WORD | frozenset(b".")
_WORD_OR_COLON = _WORD | frozenset(b":")
_RUN_BYTES = 64
_ZONE = compiled(r"%[\w.-]+")
_VERSION_BEFORE = compiled(r"(?i)(?:version|release|ver|[=~<>!^]=?|@|-)[\s:=\"']*\z")


def _emails(text: bytes, heads: Heads) -> Iterable[Span]:
    for start, end in heads:
        if text[start - 1 : start] in _NO_MAILBOX_END:
            continue
        before = text[max(heads.passed, start - _MAILBOX_BYTES) : start]
        local = _LOCAL_BEFORE.search(before) or _QUOTED_BEFORE.search(before)
        if local is None or local.group() == b"git":
            continue
        begin = start - len(local.group())
        domain = _DOMAIN.match(text, end - 1, min(len(text), end + _DOMAIN_BYTES))
        if domain is None:
            host = _HOST.match(text, end - 1, min(len(text), end + _DOMAIN_BYTES))
            if host and (b"-remote+" in local.group() or _LOGIN.search(text[max(0, begin - 40) : begin])):
                yield Span(begin, host.end(), "email")
                heads.pass_over(host.end())
            continue
        labels = domain.group().split(b".")
        if (
            len(labels[-1]) < 2
            or labels[-1].lower() in _NO_TOP_LEVEL
            or (labels[0].isdigit() and labels[1][:1].isdigit())
        ):
            continue
        yield Span(begin, domain.end(), "email")
        heads.pass_over(domain.end())


def _is_version(octets: list[int], text: bytes, start: int, end: int) -> bool:
    """Whether four numbers are a version rather than an address: small ones, or a letter or a word says so."""
    if max(octets[:3]) < 10 or (octets[0] < 3 and octets[1] < 10):  # the latter are object identifiers, too
        return True
    after = text[end : end + 1]
    if after and after[0] in _WORD and after != b"_":
        return octets[0] < 30 or max(octets[1:]) < 30
    return octets[0] < 30 and octets[0] != 10 and bool(_VERSION_BEFORE.search(text[max(0, start - 12) : start]))


def _ipv4(text: bytes, heads: Heads) -> Iterable[Span]:
    for start, end in heads:
        at = start + text[start : start + 4].find(b"-") + 1 if text[start] > 57 else start  # `ip-` stays
        parts = text[at : min(end, at + 24)].replace(b"-", b".").split(b".")
        if len(parts) != 4 or any(len(part) > 3 for part in parts):
            continue
        octets = [int(part) for part in parts]
        continues = text[at - 1 : at] == b"." and text[at - 2 : at - 1].isdigit()
        if continues or max(octets) > 255 or octets[0] in (0, 127, 255) or _is_version(octets, text, at, end):
            continue
        yield Span(at, end, "ip_address")


def _ipv6(text: bytes, heads: Heads) -> Iterable[Span]:
    for start, end in heads:
        run = text[start:end]
        if len(run) > _RUN_BYTES:
            continue
        at = start + (run[:1] == b":" and run[:2] != b"::")
        if at == start and start and text[start - 1] in _WORD_OR_DOT:
            continue
        run = run[at - start :]
        while run[-1:] in (b".", b":") and run[-2:] != b"::":
            run = run[:-1]
        last = at + len(run)
        if (text[last : last + 1] and text[last] in _WORD) or not _is_v6(run):
            continue
        zone = _ZONE.match(text, last, min(len(text), last + 32))
        yield Span(at, zone.end() if zone else last, "ip_address")


def _is_v6(run: bytes) -> bool:
    """Whether it is an address of somebody's: not loopback, not `a::b` of C++, not a time of day."""
    try:
        address = IPv6Address(run.decode("ascii"))
    except (AddressValueError, ValueError):
        return False
    groups = [g for g in run.split(b":") if g]
    known = (
        len(groups) >= 2
        and len(groups[0]) == 4
        and groups[0][:1].lower() in b"23f"
        and groups[0][:2].lower() not in (b"f0", b"fa")
    )
    return (len(groups) >= 3 or b"." in run or known) and any(48 <= c <= 57 for c in run) and not address.is_loopback


def _mac(text: bytes, heads: Heads) -> Iterable[Span]:
    for start, end in heads:
        run = text[start:end] if end - start == 17 or b"." in text[start : start + 5] else b""
        signs = {c for c in run if c in b":-."}
        digits = run.translate(None, b":-.")
        around = text[start - 1 : start] + text[end : end + 1]
        if len(signs) != 1 or len(digits) != 12 or len(set(digits)) < 3 or any(c in _WORD_OR_COLON for c in around):
            continue
        if b"." in run and (digits.isdigit() or not any(48 <= c <= 57 for c in digits)):
            continue
        yield Span(start, end, "mac_address")


EMAIL = Detector.of("email", r"@[^\s@\"'`<>(),;:\\/]", _emails, b"@")
IPV4 = Detector.of("ipv4", r"[0-9]+(?:\.[0-9]+){3,}|(?:ip|ec2)(?:-[0-9]+){4}", _ipv4)
IPV6 = Detector.of("ipv6", r"[0-9A-Fa-f:]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*", _ipv6)
MAC = Detector.of("mac", r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2})+|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}", _mac)
