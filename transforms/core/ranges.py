"""Ranges: the parts of a batch input that workers divide among themselves."""

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
    def digest(self) -> str:
        """16 hex digits that name the range in the books; another version of the file gives other ones."""
        identity = f"{self.path}\0{self.size_bytes}\0{self.version}\0{self.start}\0{self.end}"
        return blake2b(identity.encode(errors="surrogateescape"), digest_size=8).hexdigest()
