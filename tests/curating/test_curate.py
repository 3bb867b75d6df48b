"""What lands of a bucket: whatever the order and the pieces, every row once, every event in the books, the clock on time."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import landing, nothing_recent
from tests.support.facts import sealed_batch
from tests.support.windowed import STREAM
from transforms.core.batches import CLOCK, CLOCK_SCHEMA, COUNTS, Tally, ranges_batch, taken_batch
from transforms.core.curating.curate import Clock, CuratedBucket, curate, remembered
from transforms.core.keys.seal import PieceSealer
from transforms.core.output.books import Books
from transforms.core.output.layout import Output
from transforms.core.recent.memory import BucketMemory, Published
from transforms.core.shuffle import pieces as pieces_module
from transforms.core.shuffle.pieces import PieceBuilder, open_pieces
from transforms.core.shuffle.windows import Portion, Window, of_window
from transforms.core.times import TIMESTAMP, micros_of

MIDNIGHT = datetime(2026, 3, 30, tzinfo=UTC)
LOOKBACK = timedelta(hours=1)
HORIZON = timedelta(minutes=30)
SEALER = PieceSealer(b"k" * 32)

EVENTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(-90, 90), st.booleans(), st.sampled_from(["python", "go", None])),
    max_size=12,
)
"""Event id, minute around midnight, whether it is primary, and something to differ in."""


def display(number: int, minute: int, is_primary: bool, language: str | None) -> dict[str, Any]:
    time = MIDNIGHT + timedelta(minutes=minute)
    return {"event_id": f"{number:032x}", "event_name": "e", "received_at": time, "occurred_at": time, "key_id": "k",
            "schema_version": 1, "redaction_count": 0, "is_primary": is_primary, "language": language}  # fmt: skip


def refused(number: int, minute: int, is_primary: bool, reason: str | None) -> dict[str, Any]:
    time = None if number == 0 else MIDNIGHT + timedelta(minutes=minute)
    return {"payload_id": f"{number:032x}", "reason": reason or "no_reason", "stage": "s", "container": "ndjson", "received_at": time,
            "payload_bytes": 1, "is_primary": is_primary}  # fmt: skip


def through_pieces(batches: list, piece_bytes: int, random: Random) -> dict[str, pa.Table]:
    """The tables of a bucket, as its pieces give them in any order."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pieces_module, "PIECE_BYTES", piece_bytes)
        builder = PieceBuilder(SEALER, 1)
        pieces = [piece for batch in batches for _, piece in builder.add(batch)] + [p for _, p in builder.finish()]
    random.shuffle(pieces)
    return open_pieces(SEALER, 0, pieces)


def curated_of(tables: dict[str, pa.Table], portion: Portion | None = None) -> CuratedBucket:
    return curate(portion or Portion("x", 0), tables, nothing_recent(), LOOKBACK, timedelta(0), HORIZON)


def batches_of(displays: list[Any], refusals: list[Any]) -> list:
    tally = Tally()
    for number, minute, _, _ in displays:
        tally.add(20_542 + minute // 2000, "events", count=number + 1)
    counts, taken = tally.batch(), taken_batch([("0", 5, 9), ("1", 0, 2)])
    ranges = ranges_batch([("a", 3, 4), ("a", 5, 6)])
    rows = [sealed_batch("displays", [display(*d)]) for d in displays]
    aside = [sealed_batch("quarantine", [refused(*r)]) for r in refusals]
    return [b for b in (*rows, *aside, counts, taken, ranges) if b is not None]


def rows_in_any_order(curated: CuratedBucket) -> dict[Any, list[str]]:
    return {key: sorted(map(repr, table.to_pylist())) for key, table in curated.tables.items()}


@settings(max_examples=25)
@given(EVENTS, EVENTS, st.sampled_from([1, 600, 10**6]), st.randoms())
def test_any_order_and_any_pieces_give_the_same(
    displays: list, refusals: list, piece_bytes: int, random: Random
) -> None:
    batches = batches_of(displays, refusals)
    expected = curated_of(through_pieces(batches, 10**6, Random(0)))
    random.shuffle(batches)
    found = curated_of(through_pieces(batches, piece_bytes, random))
    assert rows_in_any_order(found) == rows_in_any_order(expected)
    assert (found.counts, found.clock, found.taken, found.ranges) == (
        expected.counts, expected.clock, expected.taken, expected.ranges,
    )  # fmt: skip


@settings(max_examples=25)
@given(EVENTS, EVENTS)
def test_every_primary_row_is_in_the_books_once_and_rows_are_those_of_the_tables(
    displays: list, refusals: list
) -> None:
    curated = curated_of(through_pieces(batches_of(displays, refusals), 10**6, Random(0)))
    books = Books()
    for day, found in curated.counts.items():
        books.add_row(found.as_row())
        assert found.rows == Counter({name: t.num_rows for (name, on), t in curated.tables.items() if on == day})
    primary = sum(is_primary for _, _, is_primary, _ in [*displays, *refusals])
    assert books.landed + books.duplicate + books.quarantined.total() == primary
    assert books.events == sum(number + 1 for number, _, _, _ in displays)


@given(EVENTS)
def test_rows_stand_on_their_day_and_no_event_twice_within_the_lookback(displays: list) -> None:
    tables = curated_of({"displays": pa.Table.from_batches([sealed_batch("displays", [display(*d) for d in displays]).batch])}).tables if displays else {}  # fmt: skip
    landed: list[tuple[str, datetime]] = []
    for (dataset, day), table in tables.items():
        rows = table.to_pylist()
        assert dataset == "displays"
        assert {row["received_at"].date() for row in rows} == {day}
        landed += [(row["event_id"], row["received_at"]) for row in rows]
    for event_id, time in landed:
        assert [other for other in landed if other[0] == event_id and abs(other[1] - time) <= LOOKBACK] == [
            (event_id, time)
        ]
    told = {(f"{number:032x}", MIDNIGHT + timedelta(minutes=minute)) for number, minute, _, _ in displays}
    assert {*landed} <= told
    assert {event_id for event_id, _ in landed} == {event_id for event_id, _ in told}


def test_a_payload_of_no_known_time_stands_on_a_day_of_its_own() -> None:
    curated = curated_of(through_pieces([sealed_batch("quarantine", [refused(0, 0, True, "x")])], 1, Random(0)))
    assert list(curated.tables) == [("quarantine", date(1970, 1, 1))]


def test_what_was_read_is_told_once_a_part_however_many_pieces_say_it() -> None:
    batches = [
        taken_batch([("0", 5, 9)]),
        taken_batch([("0", 9, 12), ("1", 3, 3)]),
        ranges_batch([("a", 3, 1)]),
        ranges_batch([("a", 4, 0)]),
    ]
    curated = curated_of(through_pieces(batches, 1, Random(0)))
    assert curated.taken == {"0": (5, 12), "1": (3, 3)}
    assert curated.ranges == {"a": (7, 1)}


def test_an_empty_input_still_has_a_row_for_what_was_read() -> None:
    assert curated_of({}).counts == {date(1970, 1, 1): Books()}
    assert curate(Portion("x", 1), {}, nothing_recent(), LOOKBACK, timedelta(0), HORIZON).counts == {}
    assert curated_of({}, of_window(Window(STREAM, 0, 10), 0)).counts == {}


SPANS = st.lists(st.tuples(st.integers(1, 5), st.one_of(st.none(), st.integers(-50, 400))), min_size=1, max_size=8)


@given(SPANS, st.integers(0, 60))
def test_the_clock_of_windows_only_goes_on_and_leaves_time_for_what_is_late(spans: list[Any], lateness_s: int) -> None:
    """Windows of some tens of seconds, each with the latest receive time of its rows, which may lie ahead of the log."""
    memory, lateness = BucketMemory(), timedelta(seconds=lateness_s)
    listing = Output("/nonexistent").listing()
    begin_s, before = 1000, Clock()
    latest_s = None
    for length, ahead_s in spans:
        window = Window(STREAM, begin_s, begin_s + 10 * length)
        portion = of_window(window, 0)
        seen = [] if ahead_s is None else [(begin_s + ahead_s) * 1_000_000]
        clocks = {CLOCK: pa.table({"received_at": pa.array(seen, TIMESTAMP)}, schema=CLOCK_SCHEMA)} if seen else {}
        recent = memory.lend(portion, listing, landing())
        curated = curate(portion, clocks, recent, LOOKBACK, lateness, HORIZON)
        memory.give_back(portion, recent.loan, remembered(curated, LOOKBACK))
        clock = curated.clock
        if ahead_s is not None:
            latest_s = max(begin_s + ahead_s, latest_s if latest_s is not None else begin_s + ahead_s)
        if latest_s is None:
            assert clock.closes_to is None
        else:
            assert clock.closes_to is not None
            closes_to_s = clock.closes_to.timestamp()
            assert closes_to_s == min(latest_s, window.end_s) - lateness_s
            assert closes_to_s <= window.end_s - lateness_s, "what is received from now on and is late may still come"
            assert before.closes_to is None or before.closes_to <= clock.closes_to
            stood_at_us = -1 if before.closes_to is None else micros_of(before.closes_to)
            assert clock.counted_late_to_us == stood_at_us, "each late fact is counted by one window"
        begin_s, before = window.end_s, clock


def test_a_batch_input_closes_to_its_latest_row() -> None:
    rows = [display(n, minute, True, None) for n, minute in enumerate([5, 80, -3])]
    tables = through_pieces([sealed_batch("displays", rows)], 1, Random(0))
    assert curated_of(tables).clock == Clock(MIDNIGHT + timedelta(minutes=80))


DAY_S = 86_400


@pytest.mark.parametrize(
    ("window", "since_s", "begin_s"),
    [
        (Window(STREAM, 100, 200), None, 100),
        (Window(STREAM, 100, 200), 50, 50),
        (Window(STREAM, DAY_S - 100, DAY_S), 50, 50),
        (Window(STREAM, DAY_S, DAY_S + 100), 50, 50),
        (Window(STREAM, DAY_S + 1, DAY_S + 100), DAY_S, DAY_S),
    ],
)  # fmt: skip
def test_quiet_windows_are_one_span_within_a_day(window: Window, since_s: int | None, begin_s: int) -> None:
    quiet = CuratedBucket(of_window(window, 0), quiet_since_s=since_s)
    same_day = (window.begin_s - 1) // DAY_S == (window.end_s - 1) // DAY_S
    assert quiet.mark_begin_s == (begin_s if same_day else window.begin_s)
    assert remembered(quiet, LOOKBACK) == Published({}, None, quiet.mark_begin_s, None)
    busy = CuratedBucket(of_window(window, 0), taken={"0": (0, 1)}, quiet_since_s=since_s)
    assert (busy.mark_begin_s, remembered(busy, LOOKBACK).quiet_since_s) == (window.begin_s, None)


def test_counts_of_the_stage_before_go_to_their_day_and_column() -> None:
    tally = Tally()
    tally.add(0, "events", count=2)
    tally.add(20_542, "withheld", "off", 3)
    batch = tally.batch()
    assert batch is not None
    curated = curated_of({COUNTS: pa.Table.from_batches([batch.batch])})
    assert curated.counts[date(1970, 1, 1)] == Books(events=2)
    assert curated.counts[date(2026, 3, 30)] == Books(withheld=Counter(off=3))
