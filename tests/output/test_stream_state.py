"""How far a stream is whole: never further than every bucket's marks, and never over a gap."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StorageUnavailable, UnbalancedBooks
from tests.support.marks import STREAM, write_mark
from transforms.core.output.layout import LEDGER, FileName, Output
from transforms.core.output.ledger import read_row
from transforms.core.output.stream_state import (
    StreamState,
    advance,
    freshness_s,
    load,
    recover,
    remove_unfinished,
)
from transforms.core.shuffle.windows import Window
from transforms.core.topic_identity import TopicIdentity

BEGIN_S = 1_774_915_200  # 2026-03-31T00:00:00Z
INTERVAL_S = 900


def window(number: int) -> Window:
    return Window(STREAM, BEGIN_S + number * INTERVAL_S, BEGIN_S + (number + 1) * INTERVAL_S)


def begun(output: Output) -> StreamState:
    return StreamState(output, STREAM, BEGIN_S)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    state = StreamState(
        Output(str(tmp_path)), STREAM, 5, {"0": 3, "a ü.ndjson": 9}, TopicIdentity("c", "t"), "g", {"0": 7}
    )
    state.save()
    assert load(Output(str(tmp_path)), STREAM) == state
    assert load(Output(str(tmp_path)), "another") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"whole_to_s": "x", "positions": {}}', b'{"whole_to_s": -1, "positions": {}}',
     b'{"positions": {}}', b'{"whole_to_s": 1, "positions": {"0": -1}}', b'{"whole_to_s": 1, "positions": [1]}',
     b'{"whole_to_s": 1, "positions": {}, "gaps": {"0": 1.5}}', b"\xff\xfe"],
    ids=str,
)  # fmt: skip
def test_a_damaged_file_is_one_line_that_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"_stream-{STREAM}.json").write_bytes(content)
    with pytest.raises(StorageUnavailable, match=r"_stream-.*\.json is damaged; remove it") as told:
        load(Output(str(tmp_path)), STREAM)
    assert "\n" not in str(told.value)


def test_a_file_of_an_older_version_is_read(tmp_path: Path) -> None:
    facts = {"version": 1, "whole_to_s": 7, "positions": {"0": 1}, "what_is_new": True}
    (tmp_path / f"_stream-{STREAM}.json").write_text(json.dumps(facts))
    assert load(Output(str(tmp_path)), STREAM) == StreamState(Output(str(tmp_path)), STREAM, 7, {"0": 1})


@settings(max_examples=40)
@given(
    st.integers(1, 3), st.integers(1, 6), st.lists(st.integers(0, 4), min_size=6, max_size=6),
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=3), st.integers(0, 10**6),
)  # fmt: skip
def test_whole_is_what_every_bucket_has_marked(
    tmp_path_factory: pytest.TempPathFactory, buckets: int, windows: int, taken: list[int],
    missing: set[tuple[int, int]], seed: int,
) -> None:  # fmt: skip
    """Marks of any windows and buckets come in any order, between any looks; against the obvious rule."""
    output = Output(str(tmp_path_factory.mktemp("whole")))
    state, offsets, marks, ends = begun(output), [0], [], {}
    for number in range(windows):
        offsets.append(offsets[-1] + taken[number])
        for bucket in range(buckets):
            if all((n, bucket) not in missing for n in range(number + 1)):  # a bucket publishes in order
                marks.append((number, bucket))
                ends[bucket] = number + 1
    rng = random.Random(seed)
    per_bucket = {b: [m for m in marks if m[1] == b] for b in range(buckets)}
    while any(per_bucket.values()):
        number, bucket = per_bucket[rng.choice([b for b in per_bucket if per_bucket[b]])].pop(0)
        span = {"0": (offsets[number], offsets[number + 1])} if bucket == 0 and taken[number] else None
        count = taken[number] if span else 0
        counts = {"window_events": count, "window_accounted": count, "window_rows": count}
        write_mark(output, window(number), bucket, span, buckets, **counts)
        if rng.random() < 0.5:
            advance(state)
    advance(state)
    whole = min((ends.get(b, 0) for b in range(buckets)), default=0)
    assert state.whole_to_s == BEGIN_S + whole * INTERVAL_S
    read = offsets[whole]
    assert state.positions == ({"0": read} if read else {})
    assert load(output, STREAM) in (state, None)
    again = recover(output, STREAM)
    if again is not None and whole:
        advance(again)
        assert (again.whole_to_s, again.positions) == (state.whole_to_s, state.positions)


@pytest.mark.parametrize(
    ("spans", "told"),
    [([(0, 3), (4, 5)], "was read from 4 on, the window before ended at 3"),
     ([(0, 3), (2, 5)], "was read from 2 on, the window before ended at 3")],
    ids=["gap", "twice"],
)  # fmt: skip
def test_a_source_that_did_not_read_on_where_it_ended(tmp_path: Path, spans: list[tuple[int, int]], told: str) -> None:
    output = Output(str(tmp_path))
    state = begun(output)
    for number, span in enumerate(spans):
        write_mark(output, window(number), 0, {"0": span})
    with pytest.raises(UnbalancedBooks, match=told):
        advance(state)
    assert (state.whole_to_s, state.positions) == (BEGIN_S, {})


def test_events_that_are_not_accounted_for(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    state = begun(output)
    write_mark(output, window(0), 0, {"0": (0, 3)}, window_events=3, window_accounted=2)
    with pytest.raises(UnbalancedBooks, match="read 3 events, 2 are accounted for"):
        advance(state)
    for bucket, accounted in ((0, 2), (1, 1)):  # another bucket took it
        span = {"0": (0, 3)} if bucket == 0 else None
        write_mark(output, window(1), bucket, span, 2, window_events=3 * (1 - bucket), window_accounted=accounted)
    state.whole_to_s = window(0).end_s
    assert len(advance(state)) == 2
    assert state.whole_to_s == window(1).end_s


def test_more_told_lost_than_the_span_holds(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    write_mark(output, window(0), 0, {"0": (0, 3)}, lost_messages=[("0", 4)])
    with pytest.raises(UnbalancedBooks, match="more messages of 0 are told lost"):
        advance(begun(output))


def test_windows_wait_until_they_may_be_taken_in(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    state = begun(output)
    write_mark(output, window(0), 0, {"0": (0, 1)})
    assert advance(state, before=lambda: False) == []
    assert state.whole_to_s == BEGIN_S
    assert [row["bucket"] for row in advance(state, before=lambda: True)] == [0]


def test_a_gap_goes_once_it_is_passed(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    state = StreamState(output, STREAM, BEGIN_S, {"0": 2, "1": 0}, gaps={"0": 5, "1": 9})
    assert state.lost({"0": (2, 6), "2": (0, 1)}) == {"0": 3}
    assert state.lost({"0": (2, 4), "1": (0, 12)}) == {"0": 2, "1": 9}
    assert state.lost({"0": (6, 8)}) == {}
    write_mark(output, window(0), 0, {"0": (2, 6)}, lost_messages=[("0", 3)])
    advance(state)
    assert (state.positions, state.gaps) == ({"0": 6, "1": 0}, {"1": 9})


def test_unfinished_windows_go_and_whole_ones_stay(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    done = [(0, 0), (0, 1), (1, 0), (2, 0)]
    paths = [write_mark(output, window(n), b, {"0": (n, n + 1)} if b == 0 else None, 2) for n, b in done]
    data = output.file("displays", window(2).mark_day, FileName(window(2).name, 0, 2))
    foreign = [output.file(d, window(2).mark_day, FileName(i, 0)) for d, i in
               [("displays", "fedcba9876543210"), ("displays", "another0another0.20260331T020000Z")]]  # fmt: skip
    for path in (data, *foreign):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    state = begun(output)
    advance(state)
    assert state.whole_to_s == window(0).end_s
    assert remove_unfinished(state) == 3
    assert [Path(p).exists() for p in paths] == [True, True, False, False]
    assert not Path(data).exists()
    assert all(Path(p).exists() for p in foreign)
    assert remove_unfinished(state) == 0


def test_a_quiet_span_is_cut_at_the_last_whole_window(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    long = Window(STREAM, BEGIN_S, window(5).end_s)
    path = write_mark(output, long, 0)
    write_mark(output, window(1), 1, {"0": (0, 1)}, window_begin=datetime.fromtimestamp(BEGIN_S, UTC))
    state = begun(output)
    state.whole_to_s = window(1).end_s
    assert remove_unfinished(state) == 1
    assert not Path(path).exists()
    short = Window(STREAM, BEGIN_S, window(1).end_s)
    row = read_row(output.file(LEDGER, short.mark_day, FileName(short.name, 0, 1)))
    assert row is not None
    assert (row["window_begin"], row["window_end"]) == (
        datetime.fromtimestamp(BEGIN_S, UTC),
        datetime.fromtimestamp(window(1).end_s, UTC),
    )


def test_a_job_that_goes_on_with_another_number_of_buckets(tmp_path: Path) -> None:
    """Also where all that is known is the ledger, and its first windows were written by an older version."""
    output = Output(str(tmp_path))
    for bucket in range(4):
        write_mark(output, window(0), bucket, {"0": (0, 1)} if bucket == 0 else None, None)
    for number, buckets in ((1, 2), (2, 1), (3, 3)):
        for bucket in range(buckets):
            write_mark(output, window(number), bucket, {"0": (number, number + 1)} if bucket == 0 else None, buckets)
    write_mark(output, window(4), 0, {"0": (4, 5)}, 3)
    for state in (begun(output), recover(output, STREAM)):
        assert state is not None
        assert [row["bucket"] for row in advance(state)] == [0, 1, 2, 3, 0, 1, 0, 0, 1, 2]
        assert (state.whole_to_s, state.positions) == (window(3).end_s, {"0": 4})
    assert remove_unfinished(state) == 1
    assert advance(state) == []


def test_nothing_to_recover(tmp_path: Path) -> None:
    assert recover(Output(str(tmp_path)), STREAM) is None
    write_mark(Output(str(tmp_path)), Window("fedcba9876543210", 0, 900), 0)
    assert recover(Output(str(tmp_path)), STREAM) is None


def test_freshness_is_from_the_window_s_end_to_its_files(tmp_path: Path) -> None:
    row = read_row(write_mark(Output(str(tmp_path)), window(0), 0))
    assert row is not None
    assert freshness_s(row) == 2.0
