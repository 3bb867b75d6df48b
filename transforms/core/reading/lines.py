"""Bytes of plain files -> lines, gathered into blocks."""

from hashlib import blake2b
from typing import Any

from schemas.errors import Reason
from transforms.core import blocks
from transforms.core.blocks import MAX_PAYLOAD_BYTES, Block, Unreadable

_BOM = b"\xef\xbb\xbf"


class LineCutter:
    """Cuts a stream of chunks into lines, wherever the chunks end, in bounded memory.

    A line longer than MAX_PAYLOAD_BYTES is skipped and becomes an Unreadable. A
    byte order mark before a line is dropped: where files were concatenated, marks
    stand in the middle.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._unreadable: list[Unreadable] = []
        self._lines_bytes = self._cut_bytes = 0
        self._partial: list[bytes] = []
        self._partial_bytes = 0
        self._digest: Any = None

    @property
    def has_any(self) -> bool:
        """Whether `drain` would give anything."""
        return bool(self._lines or self._unreadable or self._cut_bytes)

    def feed(self, chunk: bytes) -> bool:
        """Adds the next bytes of the stream; True when a block's worth of lines has been gathered."""
        self._cut_bytes += len(chunk)
        first, *lines = chunk.split(b"\n")
        self._grow(first)
        if lines:
            self._end_line()
            self._grow(lines.pop())
            if _BOM[:1] in chunk:  # one byte is looked for ten times as fast as three
                lines = [line.removeprefix(_BOM) for line in lines]
            self._lines += [line for line in lines if line and not line.isspace()]
            self._lines_bytes += len(chunk)
        return self._lines_bytes >= blocks.BLOCK_BYTES

    def finish(self) -> None:
        """Ends the stream: its last line needs no newline."""
        self._end_line()

    def drop_partial(self) -> int:
        """Drops a last line that has no end; returns its length in bytes."""
        lost, self._partial_bytes, self._partial, self._digest = self._partial_bytes, 0, [], None
        return lost

    def drain(self) -> Block:
        """The lines so far; the next line begins a new block."""
        block = Block(lines=self._lines, unreadable=self._unreadable, cut_bytes=self._cut_bytes)
        self._lines, self._unreadable, self._lines_bytes, self._cut_bytes = [], [], 0, 0
        return block

    def _grow(self, part: bytes) -> None:
        self._partial_bytes += len(part)
        if self._digest is None and self._partial_bytes > MAX_PAYLOAD_BYTES:
            self._digest = blake2b(b"".join(self._partial), digest_size=32)
            self._partial = []
        if self._digest is not None:
            self._digest.update(part)
        else:
            self._partial.append(part)

    def _end_line(self) -> None:
        if self._digest is not None:
            identity = b"line\0" + self._digest.digest()
            self._unreadable.append(Unreadable(Reason.PAYLOAD_TOO_LARGE, self._partial_bytes, identity))
            self._digest = None
        else:
            self._keep(b"".join(self._partial))
        self._partial, self._partial_bytes = [], 0

    def _keep(self, line: bytes) -> None:
        line = line.removeprefix(_BOM)
        if line and not line.isspace():
            self._lines.append(line)
            self._lines_bytes += len(line)
