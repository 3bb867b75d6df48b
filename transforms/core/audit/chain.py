"""Whether the lines of a trail are those that were written, in the order in which they were.

A line names the digest of the one before, so one that was altered, taken out or put elsewhere is found by the next one.
Whoever takes lines off the end, or writes the whole rest of the trail anew, is found only by a head that was noted
elsewhere.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from transforms.core import storage
from transforms.core.audit.reading import Line, digest_of, parsed
from transforms.core.audit.trail import NO_LINE, Head, numbers, path_of

_READERS = 8


@dataclass(frozen=True)
class Checked:
    """The lines that can be read, by number, what is wrong in a line for people each, and the last line."""

    lines: list[Line]
    problems: list[str]
    head: Head


def check(trail: str, noted: Head = NO_LINE) -> Checked:
    """Reads a trail; `noted` is a head that was kept elsewhere."""
    wanted = sorted(numbers(trail))
    with ThreadPoolExecutor(1 if storage.is_local(trail) else _READERS, "lines") as readers:
        held = dict(zip(wanted, readers.map(lambda n: storage.read_bytes(path_of(trail, n)), wanted), strict=True))
    last = max(held, default=0)
    read = {number: parsed(data) for number, data in held.items()}
    problems = [told for number in range(1, last + 1) if (told := _wrong(number, held, read))]
    problems += _cut_off(noted, held)
    head = Head(last, digest_of(held[last])) if last else NO_LINE
    return Checked([line for _, line in sorted(read.items()) if line is not None], problems, head)


def _wrong(number: int, held: Mapping[int, bytes], read: Mapping[int, Line | None]) -> str | None:
    """What is wrong with a line, or with the one before as it tells."""
    if number not in held:
        return f"line {number} is missing"
    line = read[number]
    if line is None:
        return f"line {number} is damaged: it is no line that this program writes"
    if line.number != number:
        return f"line {number} holds line {line.number}: it was put there from elsewhere"
    if number == 1:
        return "line 1 names a line before it: lines before it were removed" if line.previous else None
    before = read.get(number - 1)
    if before is None or before.number != number - 1:
        return None  # told already
    if line.previous != digest_of(held[number - 1]):
        return f"line {number - 1} is not the one that line {number} was written after: one of them was altered"
    return None


def _cut_off(noted: Head, held: Mapping[int, bytes]) -> list[str]:
    last = max(held, default=0)
    if noted.number > last:
        lost = f"line {noted.number}" if noted.number == last + 1 else f"lines {last + 1} to {noted.number}"
        return [f"{lost} of the noted head {noted.number} cannot be found: the end was cut off"]
    if noted.number in held and digest_of(held[noted.number]) != noted.digest:
        return [f"line {noted.number} is not the one whose digest was noted: it, or what is before it, was altered"]
    return []
