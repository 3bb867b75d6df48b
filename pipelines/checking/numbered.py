"""The payloads of files with the numbers of their lines or records, read as the jobs read them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from transforms.core import storage
from transforms.core.blocks import Block
from transforms.core.reading.lines import LineCutter
from transforms.core.reading.payloads import read_blocks
from transforms.core.storage.source_files import SourceFile


@dataclass
class NumberedBlock(Block):
    """A block, and the number of each of its lines and of the lines that are too long."""

    line_numbers: list[int] = field(default_factory=list)
    unreadable_numbers: list[int] = field(default_factory=list)


class NumberingCutter(LineCutter):
    """Cuts lines as the jobs do, and remembers which line of the file each one is."""

    def __init__(self) -> None:
        super().__init__()
        self._number = 1
        self._numbered = NumberedBlock()

    def feed(self, chunk: bytes) -> bool:
        """Adds the next bytes of the stream, line by line; True when a block's worth of lines has been gathered."""
        is_full = False
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            is_full = super().feed(line + b"\n") or is_full
            self._take_numbers()
            self._number += 1
        return super().feed(rest) or is_full

    def finish(self) -> None:
        """Ends the stream: its last line needs no newline."""
        super().finish()
        self._take_numbers()

    def drain(self) -> Block:
        """The lines so far, and their numbers."""
        block = super().drain()
        numbers, self._numbered = self._numbered, NumberedBlock()
        return NumberedBlock(
            block.lines, block.requests, block.unreadable, block.taken, block.read, block.cut_bytes,
            numbers.line_numbers, numbers.unreadable_numbers,
        )  # fmt: skip

    def _take_numbers(self) -> None:
        numbers = self._numbered
        if len(self._lines) > len(numbers.line_numbers):
            numbers.line_numbers.append(self._number)
        if len(self._unreadable) > len(numbers.unreadable_numbers):
            numbers.unreadable_numbers.append(self._number)


def numbered_blocks(file: SourceFile) -> Iterator[Block]:
    """A file's blocks in order; those of plain lines are NumberedBlocks. Raises StorageUnavailable."""
    yield from read_blocks(partial(storage.open_read, file.path), file.path, NumberingCutter)
