"""Every tampering with the trail is found and the line named; the end is held by a head that lies elsewhere."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audit.test_reading import reading
from transforms.core.audit.chain import check
from transforms.core.audit.reading import digest_of
from transforms.core.audit.trail import Head, append, path_of


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    for number in range(1, 7):
        append(str(tmp_path), reading(who=f"reader {number}"))
    return tmp_path


def line(trail: Path, number: int) -> Path:
    return Path(path_of(str(trail), number))


def altered(trail: Path) -> None:
    line(trail, 3).write_bytes(line(trail, 3).read_bytes().replace(b'"rows":7', b'"rows":6'))


def one_bit(trail: Path) -> None:
    data = bytearray(line(trail, 3).read_bytes())
    data[-1] ^= 2  # the line's end, which no reader of JSON looks at
    line(trail, 3).write_bytes(data)


def swapped(trail: Path) -> None:
    third, fourth = line(trail, 3).read_bytes(), line(trail, 4).read_bytes()
    line(trail, 3).write_bytes(fourth)
    line(trail, 4).write_bytes(third)


def renumbered(trail: Path) -> None:
    for number in (4, 5, 6):
        data = json.loads(line(trail, number).read_text())
        line(trail, number - 1).write_text(json.dumps({**data, "number": number - 1}))
    line(trail, 6).unlink()


def first_gone(trail: Path) -> None:
    data = json.loads(line(trail, 2).read_text())
    line(trail, 1).write_text(json.dumps({**data, "number": 1}))


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (altered, ["line 3 is not the one that line 4 was written after: one of them was altered"]),
        (one_bit, ["line 3 is damaged"]),
        (lambda t: line(t, 3).unlink(), ["line 3 is missing"]),
        (lambda t: line(t, 1).unlink(), ["line 1 is missing"]),
        (lambda t: line(t, 3).write_bytes(b""), ["line 3 is damaged"]),
        (swapped, ["line 3 holds line 4", "line 4 holds line 3"]),
        (renumbered, ["line 2 is not the one that line 3 was", "line 3 is not the one", "line 4 is not the one"]),
        (first_gone, ["line 1 names a line before it", "line 1 is not the one that line 2"]),
        (lambda t: line(t, 9).write_bytes(line(t, 6).read_bytes()), ["line 7 is", "line 8 is", "line 9 holds line 6"]),
    ],
)
def test_a_tampering_is_found_and_named(trail: Path, tamper: Callable[[Path], object], told: list[str]) -> None:
    assert check(str(trail)).problems == []
    tamper(trail)
    problems = check(str(trail)).problems
    assert len(problems) == len(told), problems
    assert all(found.startswith(begin) for found, begin in zip(problems, told, strict=True)), problems


def test_a_cut_end_is_found_by_a_head_that_was_noted(trail: Path) -> None:
    head = check(str(trail)).head
    assert head.number == 6
    assert check(str(trail), head).problems == []
    line(trail, 6).unlink()
    assert check(str(trail)).problems == [], "from within nothing tells"
    assert check(str(trail), head).problems == ["line 6 of the noted head 6 cannot be found: the end was cut off"]
    line(trail, 5).unlink()
    assert check(str(trail), head).problems[0].startswith("lines 5 to 6 of the noted head")
    append(str(trail), reading(who="somebody new"))
    append(str(trail), reading(who="somebody new"))
    assert check(str(trail)).problems == []
    assert check(str(trail), head).problems == [
        "line 6 is not the one whose digest was noted: it, or what is before it, was altered"
    ]
    assert check(str(trail), Head(4, digest_of(line(trail, 4).read_bytes()))).problems == []


def test_a_trail_that_was_written_anew_is_found_by_a_head(trail: Path) -> None:
    head = check(str(trail)).head
    for path in trail.iterdir():
        path.unlink()
    for _ in range(8):
        append(str(trail), reading(who="nobody"))
    assert check(str(trail)).problems == []
    assert len(check(str(trail), head).problems) == 1


def test_nothing_there_is_no_line(tmp_path: Path) -> None:
    found = check(str(tmp_path / "none"))
    assert (found.lines, found.problems, found.head.number) == ([], [], 0)
    assert check(str(tmp_path / "none"), Head(2, "a" * 64)).problems != []
