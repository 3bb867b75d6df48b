"""What a line of the trail says: one reading, and the place of the line in the chain."""

import os
import pwd
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256

import msgspec

from schemas.errors import InvalidOptions

VERSION = 1
MOST_PURPOSE_CHARS = 200
PURPOSE_ALLOWED = (
    f"one line of 3 to {MOST_PURPOSE_CHARS} characters that names no person: no mail address, and no word of 16 "
    "characters or more of hex digits and dashes, as identifiers are"
)

_IDENTIFIES = re.compile(r"\S@\S|(?<![\w-])[0-9A-Fa-f-]{16,}(?![\w-])")


@dataclass(frozen=True)
class Reading:
    """Who reads what, and what for.

    `who` is the reader's name in the key file or the ring, `action` what the tool does (`read code`, `replay`),
    `days` the received_dates, `rows` how many rows are handed out.
    """

    who: str
    role: str
    action: str
    dataset: str
    days: tuple[date, ...]
    rows: int
    purpose: str

    def __post_init__(self) -> None:
        check_purpose(self.purpose)


class Line(msgspec.Struct, frozen=True):
    """A line as it is kept. `previous` is the digest of the line before, empty in the first one; `at` is in UTC.

    `account` and `host` are those of the process, as the operating system tells them.
    """

    version: int
    number: int
    previous: str
    at: datetime
    who: str
    account: str
    host: str
    role: str
    action: str
    dataset: str
    days: list[date]
    rows: int
    purpose: str


def check_purpose(text: str) -> str:
    """The text; raises InvalidOptions where it is not one that may stand in the trail for good."""
    if not text.isprintable() or not 3 <= len(text.strip()) <= len(text) <= MOST_PURPOSE_CHARS:
        raise InvalidOptions(f"a purpose of {len(text)} characters: allowed is {PURPOSE_ALLOWED}")
    if _IDENTIFIES.search(text):
        raise InvalidOptions(f"a purpose with what may be an address or an identifier: allowed is {PURPOSE_ALLOWED}")
    return text


def line_of(reading: Reading, number: int, previous: str) -> bytes:
    """The bytes of a line; `previous` is the digest of the one before."""
    line = Line(
        version=VERSION,
        number=number,
        previous=previous,
        at=datetime.now(UTC),
        who=reading.who,
        account=_account(),
        host=socket.gethostname(),
        role=reading.role,
        action=reading.action,
        dataset=reading.dataset,
        days=days_of(reading.days),
        rows=reading.rows,
        purpose=reading.purpose,
    )
    return msgspec.json.encode(line) + b"\n"


def parsed(data: bytes) -> Line | None:
    """A line's content; None where it is none of this program's."""
    try:
        line = msgspec.json.decode(data, type=Line)
    except msgspec.MsgspecError:
        return None
    return line if line.version == VERSION else None


def digest_of(data: bytes) -> str:
    """What the next line says of this one."""
    return sha256(data).hexdigest()


def days_of(days: Iterable[date]) -> list[date]:
    """Each day once, sorted."""
    return sorted({*days})


def _account() -> str:
    """The account that runs this process; never from a variable, which its user may set."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # as in a container that runs under a number of its own
        return str(number)
