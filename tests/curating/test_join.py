"""Suggestions of windows, kept warm or read back, against one look at all facts at once."""

from collections import Counter
from collections.abc import Collection
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import KEY_RING, landing, nothing_recent
from tests.support.facts import NOON, Fact, fact, tables_of
from tests.support.windowed import STREAM
from transforms.core.batches import CLOCK, CLOCK_SCHEMA
from transforms.core.curating.curate import Clock, CuratedBucket, curate, remembered
from transforms.core.curating.gather import FromMemory, gather
from transforms.core.curating.join import join_suggestions
from transforms.core.curating.publish import Publisher
from transforms.core.keys.open_ring import open_roles, open_row_proof
from transforms.core.output.books import Books
from transforms.core.output.layout import Output
from transforms.core.recent.memory import BucketMemory
from transforms.core.shuffle.windows import Portion, Window, of_window
from transforms.core.times import TIMESTAMP

HORIZON, LOOKBACK = timedelta(minutes=10), timedelta(minutes=40)
WINDOW_S = 400
NOON_S = int(NOON.timestamp())
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("displays", {"completion_chars": 9, "opportunity_id": "7" * 32}),
    ("outcomes", {"outcome": "accepted", "completion_type": "full", "accepted_chars": 6}),
    ("persistence_checks", {"check_s": 30, "completion_type": "full", "relative_edit_distance": 0.2}),
    ("redactions", {"category": "violence"}),
    ("redactions", {"category": "snippy", "suggestion_id": None}),
    ("requests", {"event_name": "ghostText.issued", "suggestion_id": None, "prompt_chars": 7}),
    (
        "requests",
        {"event_name": "ghostText.issued", "suggestion_id": None, "request_id": None, "opportunity_id": "7" * 32},
    ),
]
FACTS = st.lists(
    st.tuples(st.sampled_from(range(len(KINDS))), st.integers(0, 5400), st.sampled_from("56"), st.sampled_from("34")),
    min_size=1, max_size=10,
)  # fmt: skip


def facts_of(told: list[Any]) -> list[Fact]:
    made = []
    for number, (kind, second, suggestion, request) in enumerate(told):
        dataset, values = KINDS[kind]
        made.append(
            fact(dataset, number, second, **{"suggestion_id": suggestion * 32, "request_id": request * 32, **values})
        )
    return made


def rows_and_late(joined: list[CuratedBucket]) -> tuple[list[dict[str, Any]], Counter[str]]:
    late = sum((books.late for curated in joined for books in curated.counts.values()), Counter[str]())
    tables = [table for curated in joined for (dataset, _), table in curated.tables.items() if dataset == "suggestions"]
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (row["suggestion_id"], row["first_received_at"])), +late


class Bucket:
    """One bucket of an output that takes window after window, as the steps do."""

    def __init__(self, folder: Path, lateness: timedelta = timedelta(0)) -> None:
        self.output = Output(str(folder))
        self.memory, self.lateness = BucketMemory(), lateness
        self._publisher = Publisher(self.output.listing(), open_roles(KEY_RING), open_row_proof(KEY_RING), landing())

    def publish(self, window: Window, facts: list[Fact]) -> CuratedBucket:
        portion = of_window(window, 0)
        recent = self.memory.lend(portion, self.output.listing(), landing())
        tables = tables_of(facts)
        seen = pa.array([f["received_at"] for _, f in facts], TIMESTAMP)
        clocks = {CLOCK: pa.table({"received_at": seen}, schema=CLOCK_SCHEMA)} if facts else {}
        empty = curate(portion, clocks, recent, LOOKBACK, self.lateness, HORIZON)
        counts = {day: Books() for _, day in tables}
        curated = CuratedBucket(
            portion, tables, counts, empty.clock, loan=empty.loan, quiet_since_s=empty.quiet_since_s
        )
        joined = join_suggestions(curated, recent, HORIZON, LOOKBACK, close_open=False)
        self._publisher.publish(joined, [])
        self.memory.give_back(portion, joined.loan, remembered(joined, LOOKBACK))
        return joined

    def run(self, facts: list[tuple[int, Fact]], restarts: Collection[int] = ()) -> list[CuratedBucket]:
        """Facts with the second after noon at which each is in the log, and an empty window after them."""
        joined = []
        for number in range(max(second for second, _ in facts) // WINDOW_S + 2):
            if number in restarts:
                self.memory.forget()
            begin_s = number * WINDOW_S
            due = [f for second, f in facts if begin_s <= second < begin_s + WINDOW_S]
            joined.append(self.publish(Window(STREAM, NOON_S + begin_s, NOON_S + begin_s + WINDOW_S), due))
        return joined


def at_once(facts: list[Fact]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """What one look gives: the clock stands at the latest fact."""
    clock = Clock(max(f["received_at"] for _, f in facts))
    curated = CuratedBucket(Portion("x", 0), tables_of(facts), clock=clock)
    return rows_and_late([join_suggestions(curated, nothing_recent(), HORIZON, LOOKBACK, close_open=False)])


@settings(max_examples=8)
@given(FACTS, st.sets(st.integers(0, 17), max_size=4))
def test_windows_warm_or_restarted_give_what_one_look_gives(
    tmp_path_factory: pytest.TempPathFactory, told: list[Any], restarts: set[int]
) -> None:
    """A last fact, long after all others, moves the clock: what is over by then is the same however it was cut."""
    facts = [*facts_of(told), fact("displays", 99, 5400 + 1200, suggestion_id="f" * 32)]
    timed = [(int((f["received_at"] - NOON).total_seconds()), (d, f)) for d, f in facts]
    folder = tmp_path_factory.mktemp("join")
    expected = at_once(facts)
    assert rows_and_late(Bucket(folder / "warm").run(timed)) == expected
    assert rows_and_late(Bucket(folder / "restarted").run(timed, restarts)) == expected


@settings(max_examples=8)
@given(FACTS, st.lists(st.integers(0, 500), min_size=10, max_size=10), st.sets(st.integers(0, 17), max_size=4))
def test_facts_that_come_out_of_order_give_the_same_warm_and_restarted(
    tmp_path_factory: pytest.TempPathFactory, told: list[Any], delays: list[int], restarts: set[int]
) -> None:
    """Within the lateness, and beyond it: memory must never know more or less than the files."""
    facts = [*facts_of(told), fact("displays", 99, 5400 + 1200, suggestion_id="f" * 32)]
    timed = [(int((f["received_at"] - NOON).total_seconds()) + delay, (d, f))
             for (d, f), delay in zip(facts, [*delays, 0], strict=False)]  # fmt: skip
    folder, lateness = tmp_path_factory.mktemp("join"), timedelta(seconds=240)
    warm = rows_and_late(Bucket(folder / "warm", lateness).run(timed))
    assert rows_and_late(Bucket(folder / "restarted", lateness).run(timed, restarts)) == warm


def test_a_fact_from_before_what_is_kept_is_joined_from_the_files(tmp_path: Path) -> None:
    """Its suggestion's life is over and forgotten in memory; the file still says that the fact is late."""
    bucket = Bucket(tmp_path)
    early, other, late = (
        fact("displays", 1, 0),
        fact("displays", 2, 5400, suggestion_id="6" * 32),
        fact("outcomes", 3, 900),
    )
    window = Window(STREAM, NOON_S, NOON_S + WINDOW_S)
    joined = [bucket.publish(window, [early])]
    for number in range(1, 16):
        window = Window(STREAM, window.end_s, window.end_s + WINDOW_S)
        joined.append(bucket.publish(window, [other] if number == 14 else []))
    portion = of_window(Window(STREAM, window.end_s, window.end_s + WINDOW_S), 0)
    recent = bucket.memory.lend(portion, bucket.output.listing(), landing())
    assert recent.open_facts is not None
    assert len(recent.open_facts.lives) == 0
    curated = CuratedBucket(portion, tables_of([late]), clock=Clock(other[1]["received_at"], 2**62))
    assert not isinstance(gather(curated, recent, HORIZON, LOOKBACK), FromMemory)
    joined.append(join_suggestions(curated, recent, HORIZON, LOOKBACK, close_open=False))
    rows, counts = rows_and_late(joined)
    assert [(row["suggestion_id"], row["outcome"]) for row in rows] == [("5" * 32, "none")]
    assert counts == Counter(outcomes=1)


@pytest.mark.parametrize("is_restarted", [False, True], ids=["warm", "restarted"])
@pytest.mark.parametrize(("before_s", "is_its"), [(1, True), (599, True), (600, True), (601, False)])
def test_a_request_is_of_what_is_shown_within_the_horizon_after_it(
    tmp_path: Path, before_s: int, is_its: bool, is_restarted: bool
) -> None:
    """The request comes windows before, and the clock goes on; nothing of its suggestion is open that would keep it."""
    shown_s = 1201
    request = fact("requests", 1, shown_s - before_s, event_name="ghostText.issued", suggestion_id=None, prompt_chars=7)
    others = [
        fact("displays", n, second, suggestion_id=f"{n}" * 32, request_id=None) for n, second in ((7, 1199), (8, 3600))
    ]
    facts = [request, fact("displays", 2, shown_s), *others]
    timed = [(int((f["received_at"] - NOON).total_seconds()), (d, f)) for d, f in facts]
    rows, _ = rows_and_late(Bucket(tmp_path).run(timed, range(18) if is_restarted else ()))
    assert [row["prompt_chars"] for row in rows] == [7 if is_its else None, None]


@settings(max_examples=30)
@given(FACTS)
def test_what_is_joined_is_not_changed(told: list[Any]) -> None:
    """Beam may give an element again; whatever the step makes of it, it stays as it was."""
    facts = [*facts_of(told), fact("displays", 99, 5400 + 1200, suggestion_id="f" * 32)]
    tables = tables_of(facts)
    curated = CuratedBucket(
        Portion("x", 0), tables, {day: Books(landed=1) for _, day in tables}, Clock(facts[-1][1]["received_at"])
    )
    before = {key: table.to_pylist() for key, table in tables.items()}, deepcopy(curated.counts), curated.clock
    joined = join_suggestions(curated, nothing_recent(), HORIZON, LOOKBACK, close_open=True)
    assert any(dataset == "suggestions" for dataset, _ in joined.tables)
    assert ({key: table.to_pylist() for key, table in curated.tables.items()}, curated.counts, curated.clock) == before
    for day, books in curated.counts.items():
        assert joined.counts[day] is not books


def test_without_an_event_nothing_is_joined() -> None:
    curated = CuratedBucket(Portion("x", 0))
    assert join_suggestions(curated, nothing_recent(), HORIZON, LOOKBACK, close_open=True) is curated
