"""Records as the collector stores them, and the files that a folder shows and hides."""

import os
from pathlib import Path

from pipelines.collector.growing_file import GrowingFile
from pipelines.collector.records import Record


def records(count: int, size_bytes: int = 100) -> list[Record]:
    return [
        Record(1_800_000_000_000_000 + n, "203.0.113.7", "all", False, None, None, os.urandom(size_bytes))
        for n in range(count)
    ]


def visible(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.avro"))


def hidden(folder: Path) -> list[Path]:
    return sorted(folder.glob(".requests-*"))


def left_behind(folder: Path, groups: list[list[Record]]) -> bytes:
    """What a killed process leaves: the bytes of a file of these groups; the file itself is gone."""
    file = GrowingFile(str(folder))
    for group in groups:
        file.append(group)
    (path,) = hidden(folder)
    data = path.read_bytes()
    file.discard()
    return data
