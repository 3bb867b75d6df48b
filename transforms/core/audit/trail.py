"""Appends a line to the trail: a file of its own that nothing replaces, with the digest of the line before.

Two readers at once make the same number; one of them creates the file and the other one takes the next number. So the
chain has no branch, whoever writes, on a local disk, gs:// and s3:// alike.
"""

import re
from typing import NamedTuple

from schemas.errors import StorageUnavailable
from transforms.core import storage
from transforms.core.audit.reading import Reading, digest_of, line_of

AUDIT_FOLDER = "_audit"
"""Where the trail lies in an output, unless an operator names another place."""

_NAME = re.compile(r"([0-9]{12,})\.json")
_TRIES = 1000
"""Each failed try is a line that another reader has written."""


class Head(NamedTuple):
    """The last line of a trail: its number, 0 where there is none, and its digest."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


NO_LINE = Head(0, "")


def append(trail: str, reading: Reading) -> Head:
    """Writes a line to the trail in this folder, or the URL of one; returns it as the new head.

    To be called before what was read is handed out: raises StorageUnavailable where the line cannot be written, and
    then there is no reading. What a killed reader left half written there is removed.
    """
    storage.sweep(trail, deep=False)
    for _ in range(_TRIES):
        head = head_of(trail)
        data = line_of(reading, head.number + 1, head.digest)
        if storage.create_whole(path_of(trail, head.number + 1), data):
            return Head(head.number + 1, digest_of(data))
    raise StorageUnavailable(f"cannot write {trail}: other readers wrote {_TRIES} lines meanwhile")


def head_of(trail: str) -> Head:
    """The last line as it lies there."""
    number = max(numbers(trail), default=0)
    return Head(number, digest_of(storage.read_bytes(path_of(trail, number)))) if number else NO_LINE


def numbers(trail: str) -> list[int]:
    """The numbers of the lines that lie there, in any order."""
    return [int(found[1]) for name in storage.list_files(trail) if (found := _NAME.fullmatch(name))]


def path_of(trail: str, number: int) -> str:
    """The file of a line."""
    return storage.join(trail, f"{number:012d}.json")
