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

LARGEST_SHARE_BYTES = 512 * 1024 * 1024
SMALLEST_SHARE_BYTES = 1024 * 1024

_SHARES_LEFT = 4


def shares_of(ranges: Iterable[Range], workers: int) -> list[Share]:
    """Each range in one share, large ranges first, in an order in which whoever is free takes the next share.

    A share is about a fourth of what each worker would have of the rest: large ones first, because what is read
    together is sealed in fewer and larger pieces; small ones last, so that all workers end at about the same time.
    """
    ordered = sorted(ranges, key=lambda part: part.stored_bytes, reverse=True)
    left_bytes = sum(part.stored_bytes for part in ordered)
    shares: list[list[Range]] = []
    room_bytes = 0
    for part in ordered:
        if not shares or room_bytes <= 0:
            shares.append([])
            room_bytes = min(max(left_bytes // (_SHARES_LEFT * workers), SMALLEST_SHARE_BYTES), LARGEST_SHARE_BYTES)
        shares[-1].append(part)
        room_bytes -= part.stored_bytes
        left_bytes -= part.stored_bytes
    return [tuple(share) for share in shares]
