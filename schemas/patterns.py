"""Short patterns of texts that are kept: every one stands here.

Each is anchored at both ends, looks at ASCII letters and digits only, has a
maximum length and repeats nothing without a bound, so that no text takes long.
What lands is the named group; what may stand around it is cut off.

A version is told from an address, a card's or a telephone's number by the length
of its parts: see `_NUMBERS`. Two things cannot be told apart: the first parts of
an address that is followed by something else than a dot (`1.2.3-4`), and an
address in its old form of two or three numbers (`1.2.772`).
"""

import re
from dataclasses import dataclass

_MOST_CHARS = 64


@dataclass(frozen=True)
class Pattern:
    """A named pattern; `doc` says in words what it allows."""

    name: str
    doc: str
    expression: re.Pattern[str]

    def landed(self, text: str) -> str | None:
        """What lands of a text; None where it is not of this pattern."""
        if len(text) > _MOST_CHARS:
            return None
        found = self.expression.fullmatch(text)
        return found[found.lastgroup] if found and found.lastgroup else None


_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_DAY = r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_PART = r"(?:0|[1-9]\d{0,4})"
_NUMBERS = (
    rf"(?!(?:{_BYTE}\.){{3}}{_BYTE}(?!\d))(?!\d{{3}}\.\d{{3}}\.\d{{4}}(?!\d))"  # an IPv4 address; a telephone number
    r"(?:\d{1,3}\.\d{1,2}\.[1-9]\d{3,4}\.\d{1,5}|\d{1,2}\.\d{1,2}\.\d{1,2}\.[1-9]\d{3,4}"
    rf"|(?:0|[1-9]\d{{0,3}})\.(?:{_PART}|0\d)(?:\.{_DAY}(?:\d\d)?|\.0\d{{3}}|\.{_PART}(?:\.{_DAY})?)?)"
)
"""Two or three numbers, the last may be a day and a build's number; four as in 10.0.22631.4460, 1.5.34.8412 and
4.34.0.20241120.
"""

_END = r"(?![A-Za-z0-9_=@:])"
_MARK = r"(?:insiders?|dev|exploration|alpha|beta|rc|nightly|canary|preview|pre|eap|stable|lts|snapshot)"
_MARKS = rf"(?:[-.+ ](?i:{_MARK})(?:\.?\d{{1,3}})?{_END}){{0,2}}(?:-\d{{3}}{_END})?"
_TAIL = r"(?:(?:[^\d./\\]|\.(?=[A-Za-z]))[^/\\]*)?"

_SYSTEM = (
    r"(?i:linux|darwin|(?:microsoft )?windows(?:_nt)?|macos|mac os x|freebsd|ubuntu|debian|fedora|android|ios|sunos)"
)
_KERNEL = (
    r"(?i:generic|lowlatency|aws|azure|gcp|gke|oracle|raspi|rpi|amd64|arm64|x86_64|aarch64|armv7l|cloud|lts|hardened|zen"
    r"|manjaro|arch\d{0,2}|linuxkit|microsoft|standard|wsl2?|fc\d\d|el\d{1,2}|amzn\d{1,4}|pve|kali\d{0,2}|chromeos|crostini"
    r"|default|desktop|server|virtual|kvm|rt|release)"
)
_WSL = r"[4-9]\.\d{1,2}\.\d{1,3}\.\d-(?i:microsoft-standard(?:-wsl2)?)"
"""WSL numbers its kernels like addresses, 5.15.167.4: let in with its own words behind it alone."""

_PATTERNS = {
    "version": (
        "a version: two or three numbers, or four of which the third or the last is long, and known marks such as "
        "-insider; a leading v and what follows are cut off",
        rf"[vV]?(?P<kept>{_NUMBERS}{_MARKS}){_TAIL}|(?P<short>\d{{1,3}})",
    ),
    "os_version": (
        "a version of an operating system: its name, numbers, and known words of kernels such as -45-generic; what "
        "follows is cut off",
        rf"(?P<kept>(?:{_SYSTEM} )?(?:{_WSL}|{_NUMBERS}(?:-\d{{1,4}}{_END})?(?:[-.+]{_KERNEL}{_END}){{0,4}})){_TAIL}"
        rf"|(?P<short>(?:{_SYSTEM} )?\d{{1,3}})",
    ),
    "month": ("a month, YYYY-MM", r"(?P<kept>20\d\d-(?:0[1-9]|1[0-2]))"),
    "digest": ("hex digits that this system made", r"(?P<kept>[0-9a-f]{16,64})"),
    "input": ("a digest, and the end of a window", r"(?P<kept>[0-9a-f]{16,64}(?:-[0-9TZ-]{1,24})?)"),
    "key": ("the name of a key of the key ring", r"(?P<kept>[a-z0-9-]{1,32})"),
    "place": ("a name of ours: a column, a step, a place on the wire", r"(?P<kept>[A-Za-z$][A-Za-z0-9_.\[\]]{0,63})"),
    "phrase": ("a few words of ours", r"(?P<kept>[A-Za-z0-9][A-Za-z0-9 ,.:()_-]{0,63})"),
    "flag_or_number": ("true, false or a number of at most 9 digits", r"(?P<kept>true|false|-?\d{1,9}(?:\.\d{1,6})?)"),
    "status": ("an HTTP status", r"(?P<kept>[1-5]\d\d)"),
    "notice": (
        "what was done about a notice, and .count",
        r"(?P<kept>(?:acknowledge|ignore|dismiss|shown|impression|open)(?:\.count)?)",
    ),
}

PATTERNS = {name: Pattern(name, doc, re.compile(expression, re.ASCII)) for name, (doc, expression) in _PATTERNS.items()}
"""By name, as a schema's `shape` and a route's `suffix` name them."""
