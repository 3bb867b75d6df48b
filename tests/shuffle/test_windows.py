"""Names of windows and the order of what is published, as laws that hold for any times."""

import itertools
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.output.layout import FileName, parse_name
from transforms.core.shuffle.windows import Portion, Window, boundary_after, mark_day, of_window, window_end_s

STREAM = "0123456789abcdef"
TIMES_S = st.integers(1, 4_000_000_000)
INTERVALS_S = st.integers(1, 100_000)


@given(st.integers(0, 4_000_000_000), INTERVALS_S)
def test_a_boundary_is_later_and_a_multiple(moment_s: int, interval_s: int) -> None:
    boundary_s = boundary_after(moment_s, interval_s)
    assert moment_s < boundary_s <= moment_s + interval_s
    assert boundary_s % interval_s == 0


@given(TIMES_S, TIMES_S, INTERVALS_S)
def test_times_of_one_window_have_one_boundary(one_s: int, other_s: int, interval_s: int) -> None:
    first, second = sorted((one_s, other_s))
    assert boundary_after(first, interval_s) <= boundary_after(second, interval_s)
    assert (boundary_after(first, interval_s) == boundary_after(second, interval_s)) == (
        first // interval_s == second // interval_s
    )


@given(TIMES_S, st.integers(0, 9999))
def test_names_tell_the_window_and_are_names_of_files(end_s: int, bucket: int) -> None:
    window = Window(STREAM, end_s - 1, end_s)
    assert window_end_s(window.name, STREAM) == end_s
    assert window_end_s(window.name, "another") is None
    assert parse_name(str(FileName(window.name, bucket))) == FileName(window.name, bucket)


@given(TIMES_S, TIMES_S)
def test_names_sort_as_their_windows_do(one_s: int, other_s: int) -> None:
    one, other = (Window(STREAM, end_s - 1, end_s) for end_s in (one_s, other_s))
    assert (one.name < other.name) == (one_s < other_s)


@pytest.mark.parametrize(
    "end",
    [
        "",
        "x",
        "20260331",
        "20260331T240000Z",
        "20260230T000000Z",
        "2026331T100000Z",
        "20260331T100000",
        "20260331T100000Z.",
    ],
)
def test_a_file_of_a_strange_name_is_no_window(end: str) -> None:
    """Anybody may put a file into an output; one of them must not stop every start of the job."""
    assert window_end_s(f"{STREAM}.{end}", STREAM) is None
    assert Portion("x", 0, Window(STREAM, 0, 10)).comes_after(f"{STREAM}.{end}")


@given(st.text(max_size=20))
def test_any_name_is_a_window_or_none(text: str) -> None:
    end_s = window_end_s(f"{STREAM}.{text}", STREAM)
    assert end_s is None or Window(STREAM, 0, end_s).name == f"{STREAM}.{text}"


BOUNDARIES_S = st.lists(st.integers(1, 10**9), min_size=2, max_size=6, unique=True).map(sorted)


@given(BOUNDARIES_S)
def test_windows_of_a_stream_come_in_one_strict_order(boundaries_s: list[int]) -> None:
    windows = [Window(STREAM, begin, end) for begin, end in itertools.pairwise(boundaries_s)]
    for number, window in enumerate(windows):
        after = [of_window(window, 3).comes_after(other.name) for other in windows]
        assert after == [other < number for other in range(len(windows))]


def test_other_inputs_come_before_and_no_input_before_itself() -> None:
    batch, window = Portion("0f" * 8, 0), of_window(Window(STREAM, 10, 20), 0)
    assert [batch.comes_after(name) for name in (batch.input, window.input, "other")] == [False, True, True]
    assert [window.comes_after(name) for name in (batch.input, window.input, "other")] == [True, False, True]
    assert window.comes_after(f"another{window.input}")


@pytest.mark.parametrize(
    ("end_s", "day"), [(86_400, date(1970, 1, 1)), (86_401, date(1970, 1, 2)), (86_399, date(1970, 1, 1))]
)
def test_a_window_that_ends_at_midnight_is_of_the_day_before(end_s: int, day: date) -> None:
    assert mark_day(end_s) == Window(STREAM, 0, end_s).mark_day == day


@given(TIMES_S)
def test_a_mark_lies_in_the_day_of_its_windows_last_second(end_s: int) -> None:
    midnight_s = int(datetime.combine(mark_day(end_s), datetime.min.time(), UTC).timestamp())
    assert midnight_s < end_s <= midnight_s + 86_400
