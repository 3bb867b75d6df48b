"""Ordinary lines of code: those of the installed packages, read when needed, the same ones each time."""

import random
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_LONGEST_CHARS = 2_000
_LINES_OF_A_FILE = 60


def _texts(seed: int) -> Iterator[str]:
    folder = Path(sysconfig.get_paths()["purelib"])
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".pyi", ".js", ".ts") and p.stat().st_size > 500)
    random.Random(seed).shuffle(files)
    for path in files:
        yield path.read_text(errors="replace")


def ordinary_lines(count: int, seed: int = 1) -> list[str]:
    """Lines that hold something, of many files."""
    lines: list[str] = []
    for text in _texts(seed):
        found = [line for line in text.splitlines() if line.strip() and len(line) < _LONGEST_CHARS]
        random.Random(len(found)).shuffle(found)
        lines += found[:_LINES_OF_A_FILE]
        if len(lines) >= count:
            break
    return lines[:count]


def ordinary_texts(count: int, chars: int, seed: int = 5) -> list[str]:
    """Beginnings of files, as long as a prompt's."""
    texts = (text[:chars] for text in _texts(seed) if len(text) >= chars // 2)
    return [text for _, text in zip(range(count), texts, strict=False)]
