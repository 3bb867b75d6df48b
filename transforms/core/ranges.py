"""Ranges: the parts of a batch input that workers divide among themselves."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple


class Range(NamedTuple):
    """A part of a source file: all of it (`end` None), or the lines that begin at a byte in `start <= byte < end`.

    Size and version are those of the file when it was listed.
    """

    path: str
    start: int = 0
    end: int | None = None
    size_bytes: int = 0
    version: str = ""

    @property
    def stored_bytes(self) -> int:
        """How many bytes of the file it is, as they are stored."""
        return (self.size_bytes if self.end is None else min(self.end, self.size_bytes)) - self.start

    @property
    def digest(self) -> str:
        """16 hex digits that name the range in the books; another version of the file gives other ones."""
        identity = f"{self.path}\0{self.size_bytes}\0{self.version}\0{self.start}\0{self.end}"
        return blake2b(identity.encode(errors="surrogateescape"), digest_size=8).hexdigest()


Share = tuple[Range, ...]
"""Ranges that are read together, one after another."""

SHARE_BYTES = 64 * 1024 * 1024
"""What a share has at most, unless it is one range that has more: about a second of work of plain lines."""

_LEAST_SHARES = 32
"""An input is dealt into so many shares, if it has as many ranges: then workers end at about the same time."""


def shares_of(ranges: Iterable[Range]) -> list[Share]:
    """Each range in one share, the largest first: whoever is free takes the next, and small ones come last."""
    ordered = sorted(ranges, key=lambda part: part.stored_bytes, reverse=True)
    most_bytes = min(SHARE_BYTES, sum(part.stored_bytes for part in ordered) // _LEAST_SHARES)
    shares: list[list[Range]] = []
    room_bytes = -1
    for part in ordered:
        room_bytes -= part.stored_bytes
        if room_bytes < 0:
            shares.append([])
            room_bytes = most_bytes - part.stored_bytes
        shares[-1].append(part)
    return [tuple(share) for share in shares]
