"""What is remembered of ids at the end of a month is what the files hold, whatever was forgotten in between."""

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
from tests.support.facts import batch_of, fact, tables_of
from tests.support.marks import STREAM
from transforms.core.curating.curate import CuratedBucket
from transforms.core.curating.publish import Publisher
from transforms.core.keys import keyring
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.books import Books
from transforms.core.output.layout import Output
from transforms.core.output.published import PublishedRows
from transforms.core.recent.near_ids import NO_IDS, NearIds, NearIndex, columns_asked, ids_of
from transforms.core.recent.recent import Recent
from transforms.core.shuffle.windows import Window, of_window
from transforms.core.times import DAY_US, micros_of

BORDER = datetime(2026, 4, 1, tzinfo=UTC)
MARCH = "2026-03"
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["displays", "requests"]), st.integers(-60, 200), st.integers(0, 3), st.integers(0, 3), st.booleans()
    ),
    max_size=4,
)  # fmt: skip
"""Dataset, minute after the border, request, suggestion, whether it is under the month before."""


def text(number: int) -> str:
    return f"{number:032x}"


def us(minute: float) -> int:
    return micros_of(BORDER + timedelta(minutes=minute))


def rows_of(rows: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    made = []
    for number, (dataset, minute, request, suggestion, is_former) in enumerate(rows):
        moment = BORDER + timedelta(minutes=minute)
        ids = {"request_id": text(request), "suggestion_id": text(10 + suggestion) if dataset == "displays" else None}
        kind = {"kind": "ghost_text"} if dataset == "displays" else {}
        month = MARCH if is_former or minute < 0 else "2026-04"
        made.append(fact(dataset, number, 0, **ids, **kind, key_id=month, received_at=moment, occurred_at=moment))
    return made


def told(near: NearIds, ids: set[str], since_us: int) -> Counter[tuple[str, int, int]]:
    """What matters of what is found."""
    rows = zip(near.ids.to_pylist(), near.is_former.tolist(), near.times_us.tolist(), strict=True)
    return Counter(row for row in rows if row[0] in ids and row[2] >= since_us)


def expected(rows: list[Any], ids: set[str], since_us: int) -> Counter[tuple[str, int, int]]:
    found: Counter[tuple[str, int, int]] = Counter()
    for dataset, minute, request, suggestion, is_former in rows:
        is_of_march, is_fact = is_former or minute < 0, dataset == "displays"
        if is_of_march:
            found[text(request), 1, us(minute)] += 1
        if is_fact:
            found[text(10 + suggestion), int(is_of_march), us(minute)] += 1
    return Counter({row: n for row, n in found.items() if row[0] in ids and row[2] >= since_us})


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(ROWS, st.sets(st.integers(0, 13), min_size=1), st.integers(-90, 200), st.one_of(st.none(), st.integers(-90, 200))),
        max_size=4,
    )
)  # fmt: skip
def test_memory_finds_what_the_files_hold(tmp_path_factory: pytest.TempPathFactory, windows: list[Any]) -> None:
    output = Output(str(tmp_path_factory.mktemp("near")))
    keys = step_keys_of(keyring.load(KEY_RING))
    publisher = Publisher(output.listing(), keys.roles, keys.row_proof, landing())
    begin_s, before, kept = int(BORDER.timestamp()), [], None
    for rows, asked, since_minute, forget_minute in windows:
        portion = of_window(Window(STREAM, begin_s, begin_s + 60), 0)
        published = PublishedRows(output.listing(), portion, landing())
        kept = kept or Recent(published, is_kept=True)
        kept.published = published
        ids = {text(number) for number in asked}
        for recent in (kept, Recent(published, is_kept=True), Recent(published, is_kept=False)):
            found = recent.near_ids(MARCH, pa.array(sorted(ids)), us(since_minute), us(200))
            assert told(found, ids, us(since_minute)) == expected(before, ids, us(since_minute))
        tables = tables_of(rows_of(rows))
        counts = {day: Books() for _, day in tables}
        publisher.publish(CuratedBucket(portion, tables, counts), [])
        kept.remember(tables)
        if forget_minute is not None:
            kept.forget_before(us(forget_minute))
        kept.settle()
        before += rows
        begin_s += 60


def displays(*minutes: float) -> pa.Table:
    rows = rows_of([("displays", minute, 0, 0, False) for minute in minutes])
    return pa.Table.from_batches([batch_of("displays", [row for _, row in rows])])


def test_it_ends_a_day_after_nobody_asked_any_more() -> None:
    index = NearIndex(MARCH, us(-30), NO_IDS)
    index.asked_us = us(60)
    assert not index.is_over(displays(60))
    assert not index.is_over(displays(60 + DAY_US / 60e6))
    assert index.is_over(displays(61 + DAY_US / 60e6, 0))


def test_a_bucket_lets_go_of_it_when_the_month_is_on_its_way(tmp_path: Path) -> None:
    published = PublishedRows(Output(str(tmp_path)).listing(), of_window(Window(STREAM, 0, 60), 0), landing())
    recent = Recent(published, is_kept=True)
    recent.near_ids(MARCH, pa.array([text(0)]), us(-30), us(60))
    for minute, is_kept in ((120, True), (60 + 24 * 60 + 1, False), (3000, False)):
        recent.remember({("displays", (BORDER + timedelta(minutes=minute)).date()): displays(minute)})
        recent.settle()
        assert (recent._near is not None) is is_kept


def test_only_ids_and_what_tells_their_life_are_read() -> None:
    assert columns_asked("requests") == ["suggestion_id", "opportunity_id", "request_id", "key_id", "received_at"]
    assert "kind" in columns_asked("outcomes")
    assert len(ids_of("requests", pa.table({}), MARCH, 0).ids) == 0
    found = ids_of("displays", displays(-45, -20, 5), MARCH, us(-30))
    assert sorted(zip(found.times_us.tolist(), found.is_former.tolist(), strict=True)) == [
        (us(-20), 1), (us(-20), 1), (us(5), 0),
    ]  # fmt: skip
    assert found.is_former.dtype == found.times_us.dtype == np.int64
