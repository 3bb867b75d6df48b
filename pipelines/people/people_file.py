"""Who is meant, by raw ids: from a file or standard input, never from an argument that a list of processes shows."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipelines.options.flag_files import read_flag_file
from schemas.errors import InvalidOptions
from schemas.registry import PERMITTED

KINDS = {"machine": "installation", "session": "session", "user": "user", "tracking": "user"}
"""Raw ids that may be given -> the domain whose pseudonyms they mostly become."""

_MOST_BYTES = 64 * 1024 * 1024
_MOST_CHARS = 1024


@dataclass(frozen=True)
class Person:
    """A line of the file: raw ids by domain, and, for a withdrawal, what the person permits from now on."""

    ids: dict[str, frozenset[str]] = field(repr=False)
    telemetry_level: str | None = None
    snippet_consent: bool | None = None

    @property
    def texts(self) -> frozenset[str]:
        """All of the raw ids."""
        return frozenset[str]().union(*self.ids.values())


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    machine: str | list[str] = ""
    session: str | list[str] = ""
    user: str | list[str] = ""
    tracking: str | list[str] = ""
    telemetry_level: str | None = None
    snippet_consent: bool | None = None


def add_people_flag(add: Any) -> None:
    """`--people`."""
    add("--people", required=True, metavar="FILE",
        help="Who: a file, or - for standard input. A line for each person: a JSON object with one or more of "
        'machine, session, user, tracking (a text or a list), or such a word, a blank and the id.')  # fmt: skip


def read_people(path: str) -> list[Person]:
    """The people of a file, or of standard input where it is `-`.

    Raises InvalidOptions where there is none, or where a line is not understood; it tells the line's number alone.
    """
    if path == "-":
        data = sys.stdin.buffer.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InvalidOptions(f"--people -: larger than {_MOST_BYTES} bytes")
    else:
        data = read_flag_file("--people", path, _MOST_BYTES)
    people = [_person(path, number, line) for number, line in _lines(data)]
    if not people:
        raise InvalidOptions(f"--people {path}: nobody is named there")
    return people


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(data.splitlines(), 1):
        if stripped := line.strip():
            yield number, stripped


def _person(path: str, number: int, line: bytes) -> Person:
    try:
        found = msgspec.json.decode(line, type=_Line) if line.startswith(b"{") else _of_text(line)
        ids = _ids(found)
        if found.telemetry_level not in (None, *PERMITTED):
            raise ValueError
    except (msgspec.MsgspecError, ValueError):
        raise InvalidOptions(
            f"--people {path}: line {number} is not understood; allowed are a JSON object with {', '.join(KINDS)}, "
            f"telemetry_level ({', '.join(PERMITTED)}) and snippet_consent, or one of the first four words, a blank "
            "and an id"
        ) from None
    return Person(ids, found.telemetry_level, found.snippet_consent)


def _of_text(line: bytes) -> _Line:
    kind, _, value = line.decode().partition(" ")
    if kind not in KINDS:
        raise ValueError
    found = _Line()
    setattr(found, kind, value.strip())
    return found


def _ids(line: _Line) -> dict[str, frozenset[str]]:
    """Raises ValueError where there is none, or one is too long to be an id."""
    ids: dict[str, frozenset[str]] = {}
    for kind, domain in KINDS.items():
        given = getattr(line, kind)
        texts = frozenset(text for text in ([given] if isinstance(given, str) else given) if text)
        if texts:
            ids[domain] = ids.get(domain, frozenset()) | texts
    if not ids or any(len(text) > _MOST_CHARS for texts in ids.values() for text in texts):
        raise ValueError
    return ids
