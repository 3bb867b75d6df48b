"""Keys of what was published: in memory what the files say, whatever was remembered, forgotten or asked for."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import KEY_RING, landing
from tests.support.facts import fact, tables_of
from tests.support.windowed import STREAM
from transforms.core.curating.curate import Clock, CuratedBucket
from transforms.core.curating.publish import Publisher
from transforms.core.keys.open_ring import open_roles, open_row_proof
from transforms.core.output.books import Books
from transforms.core.output.layout import Output
from transforms.core.output.published import PublishedRows
from transforms.core.recent.recent import Recent
from transforms.core.shuffle.windows import Window, of_window
from transforms.core.times import micros_of

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
NOON_S = int(NOON.timestamp())
LOOKBACK = timedelta(hours=2)
EVENTS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from([-1500, -300, -200, -100, 0, 100])), max_size=5)
ASKED = st.lists(st.tuples(st.integers(1, 3), st.integers(-200, 200)), min_size=1, max_size=3)
"""Events by number and minutes around noon."""


def key(number: int) -> str:
    return f"{number:032x}"


class Files:
    """Windows of displays in an output."""

    def __init__(self, folder: Path) -> None:
        self.output = Output(str(folder))
        self.windows = 0
        self.rows: list[tuple[int, int]] = []

    def rows_before_next(self) -> PublishedRows:
        return PublishedRows(self.output.listing(), of_window(self._next(), 0), landing())

    def _next(self) -> Window:
        return Window(STREAM, NOON_S + 60 * self.windows, NOON_S + 60 * (self.windows + 1))

    def publish(self, events: list[Any], latest_us: int | None = None) -> dict:
        tables = tables_of([fact("displays", number, 60 * minute) for number, minute in events])
        counts = {day: Books(events=t.num_rows, landed=t.num_rows) for (_, day), t in tables.items()}
        curated = CuratedBucket(of_window(self._next(), 0), tables, counts, Clock(latest_us=latest_us))
        publisher = Publisher(self.output.listing(), open_roles(KEY_RING), open_row_proof(KEY_RING), landing())
        publisher.publish(curated, [])
        self.windows += 1
        self.rows += events
        return tables


def found_in(recent: Recent, asked: list[Any]) -> Counter[tuple[str, int]]:
    """What matters of what is found: rows with one of the keys, at most the lookback away from it."""
    times_us = np.array([micros_of(NOON + timedelta(minutes=minute)) for _, minute in asked])
    keys, found_us = recent.same_keys("displays", pa.array([key(n) for n, _ in asked]), times_us, LOOKBACK)
    reach_us = LOOKBACK // timedelta(microseconds=1)
    near = [(key(n), int(time_us)) for (n, _), time_us in zip(asked, times_us, strict=True)]
    rows = zip(keys.to_pylist(), found_us.tolist(), strict=True)
    return Counter(row for row in rows if any(row[0] == k and abs(row[1] - t) <= reach_us for k, t in near))


@settings(max_examples=40)
@given(st.lists(st.tuples(EVENTS, ASKED, st.one_of(st.none(), st.integers(-300, 200))), max_size=4))
def test_memory_finds_what_the_files_hold(tmp_path_factory: pytest.TempPathFactory, windows: list[Any]) -> None:
    """Any windows, any rows that are looked for, anything forgotten in between: never one copy less, nor one more."""
    files = Files(tmp_path_factory.mktemp("recent"))
    kept = Recent(files.rows_before_next(), is_kept=True)
    for events, asked, forget_minute in windows:
        kept.published = files.rows_before_next()
        fresh = Recent(files.rows_before_next(), is_kept=True)
        batch = Recent(files.rows_before_next(), is_kept=False)
        reach_us = LOOKBACK // timedelta(microseconds=1)
        told = [(key(n), micros_of(NOON + timedelta(minutes=m))) for n, m in files.rows]
        near = [(key(n), micros_of(NOON + timedelta(minutes=m))) for n, m in asked]
        expected = Counter(row for row in told if any(row[0] == k and abs(row[1] - t) <= reach_us for k, t in near))
        for recent in (kept, fresh, batch):
            assert found_in(recent, asked) == expected
        kept.remember(files.publish(events))
        if forget_minute is not None:
            kept.forget_before(micros_of(NOON + timedelta(minutes=forget_minute)))
        kept.settle()


@pytest.mark.parametrize("latest_us", [None, 5_000_000])
def test_a_mark_says_the_latest_receive_time_and_where_a_quiet_span_began(
    tmp_path: Path, latest_us: int | None
) -> None:
    files = Files(tmp_path)
    files.publish([], latest_us)
    recent = Recent(files.rows_before_next(), is_kept=True)
    recent.read_mark(Window(STREAM, NOON_S + 60, NOON_S + 120))
    assert (recent.latest_us, recent.quiet_since_s) == (latest_us, NOON_S)
    files.publish([(1, 0)], 7_000_000)
    recent = Recent(files.rows_before_next(), is_kept=True)
    recent.read_mark(Window(STREAM, NOON_S + 120, NOON_S + 180))
    assert (recent.latest_us, recent.quiet_since_s) == (7_000_000, None)


def test_without_a_mark_nothing_is_known(tmp_path: Path) -> None:
    recent = Recent(Files(tmp_path).rows_before_next(), is_kept=True)
    recent.read_mark(Window(STREAM, NOON_S, NOON_S + 60))
    assert (recent.latest_us, recent.quiet_since_s) == (None, None)


def test_a_key_that_was_forgotten_is_read_from_the_files_where_it_matters_yet(tmp_path: Path) -> None:
    """A copy that comes very late asks for what memory has let go of."""
    files = Files(tmp_path)
    files.publish([(1, -200)])
    recent = Recent(files.rows_before_next(), is_kept=True)
    asked = [(1, -150)]
    expected = found_in(recent, asked)
    assert expected == Counter({(key(1), micros_of(NOON - timedelta(minutes=200))): 1})
    recent.forget_before(micros_of(NOON))
    recent.settle()
    assert found_in(recent, asked) == expected
