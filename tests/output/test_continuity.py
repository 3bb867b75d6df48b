"""The ledger of a stream is read on without a break, or it is said where it breaks."""

from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from transforms.core.output.continuity import breaks, lost_messages
from transforms.core.output.layout import FileName
from transforms.core.output.ledger import Mark


def mark(number: int, spans: dict[str, tuple[int, int]], stream: str = "s", **more: Any) -> Mark:
    row = {
        "input": f"{stream}.{number:04d}", "bucket": 0, "window_events": 0,
        "window_end": datetime.fromtimestamp(900 * (number + 1), UTC),
        "positions_begin": [(part, begin) for part, (begin, _) in spans.items()],
        "positions_end": [(part, end) for part, (_, end) in spans.items()], **more,
    }  # fmt: skip
    return Mark(date(2026, 3, 31), FileName(row["input"], 0), row)


@given(st.lists(st.lists(st.integers(0, 5), min_size=2, max_size=2), max_size=12), st.randoms())
def test_windows_that_read_on_have_no_break_in_any_order(taken: list[list[int]], rng: Any) -> None:
    marks, at = [], [0, 0]
    for number, counts in enumerate(taken):
        spans = {str(p): (at[p], at[p] + counts[p]) for p in range(2) if counts[p]}
        at = [a + c for a, c in zip(at, counts, strict=True)]
        marks.append(mark(number, spans))
    rng.shuffle(marks)
    assert list(breaks(marks)) == []
    whole = [m for m in marks if m.row["positions_end"]]
    for lost in range(1, len(whole)):
        rest = sorted(whole, key=lambda m: m.row["window_end"])
        gone = rest.pop(lost - 1) if lost > 1 else None
        if gone is None:
            continue
        later = {p for m in rest[lost - 1 :] for p, _ in m.row["positions_end"]}
        earlier = {p for m in rest[: lost - 1] for p, _ in m.row["positions_end"]}
        if {p for p, _ in gone.row["positions_end"]} & later & earlier:
            assert list(breaks(rest))


def test_a_window_that_was_read_twice_is_told() -> None:
    (line,) = breaks([mark(0, {"0": (0, 5)}), mark(1, {"0": (3, 7)})])
    assert line == "s.0001: 0 was read from 3 on, the window before ended at 5"


def test_streams_and_partitions_are_told_apart() -> None:
    marks = [mark(0, {"0": (0, 5)}), mark(1, {"1": (9, 10)}), mark(1, {"0": (7, 8)}, stream="t")]
    assert list(breaks(marks)) == []


def test_a_topic_that_was_made_anew_begins_again() -> None:
    assert list(breaks([mark(0, {"0": (0, 5)}), mark(1, {"0@new": (0, 2)}), mark(2, {"0@new": (2, 3)})])) == []
    assert len(list(breaks([mark(0, {"0@new": (0, 5)}), mark(1, {"0@new": (0, 2)})]))) == 1


def test_a_file_that_was_gone_and_came_back_is_no_break() -> None:
    assert list(breaks([mark(0, {"a.ndjson": (0, 5)}), mark(1, {"a.ndjson": (0, 5)})])) == []


def test_what_was_declared_lost() -> None:
    marks = [mark(0, {"0": (0, 5)}, lost_messages=[("0", 2)]), mark(1, {"0": (5, 9)}, lost_messages=None)]
    assert list(breaks(marks)) == []
    assert lost_messages(marks) == 2
    (line,) = breaks([mark(0, {"0": (0, 5)}, lost_messages=[("0", 6)])])
    assert line == "s.0000: 6 messages of 0 are told lost of 5"
