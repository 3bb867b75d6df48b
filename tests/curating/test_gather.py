"""How far back the files are read, when memory is enough, and that both find the same."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import KEY_RING, landing
from tests.support.facts import NOON, Fact, fact, tables_of
from tests.support.windowed import STREAM
from transforms.core.curating.curate import Clock, CuratedBucket
from transforms.core.curating.gather import FromFiles, FromMemory, by_place, gather, life_spans
from transforms.core.curating.publish import Publisher
from transforms.core.keys.open_ring import open_roles, open_row_proof
from transforms.core.output.books import Books
from transforms.core.output.layout import Listing, Output
from transforms.core.recent.memory import BucketMemory
from transforms.core.recent.open_facts import OpenFacts
from transforms.core.recent.recent import Recent
from transforms.core.shuffle.windows import Portion, Window, of_window
from transforms.core.times import TIMESTAMP, micros_of

HORIZON, LOOKBACK = timedelta(minutes=30), timedelta(days=1)
DAY_S = 86_400


def publish(folder: Path, name: str, facts: list[Fact]) -> None:
    tables = tables_of(facts)
    counts = {day: Books() for _, day in tables}
    output = Output(str(folder))
    Publisher(output.listing(), open_roles(KEY_RING), open_row_proof(KEY_RING), landing()).publish(
        CuratedBucket(Portion(name, 0), tables, counts), []
    )


def from_files(folder: Path, facts: list[Fact], portion: Portion | None = None) -> FromFiles:
    portion = portion or Portion("own", 0)
    recent = BucketMemory().lend(portion, Output(str(folder)).listing(), landing())
    clock = Clock(max(f["received_at"] for _, f in facts))
    return FromFiles(CuratedBucket(portion, tables_of(facts), clock=clock), recent, HORIZON, LOOKBACK)


@pytest.mark.parametrize("gap_days", [0, 1, 2, 9])
def test_what_was_open_at_the_end_of_the_last_input_is_read_however_long_ago_that_was(
    tmp_path: Path, gap_days: int
) -> None:
    """After a weekend without input its suggestions are still open, and so are those that began a day before."""
    last_s = -gap_days * DAY_S
    publish(
        tmp_path,
        "old",
        [fact("displays", 1, last_s), fact("outcomes", 2, last_s - DAY_S), fact("displays", 3, last_s - 9 * DAY_S)],
    )
    gathered = from_files(tmp_path, [fact("displays", 9, 0)]).facts
    assert gathered["displays"].own_rows == 1
    assert [event_id[-1] for event_id in gathered["displays"].rows["event_id"].to_pylist()] == ["9", "1"]
    assert gathered["outcomes"].rows["event_id"].to_pylist() == [f"{2:032x}"]


def test_a_batch_does_not_read_what_was_received_after_its_clock_but_what_is_kept_for_later_does(
    tmp_path: Path,
) -> None:
    publish(tmp_path, "later", [fact("displays", 1, 2 * DAY_S)])
    assert from_files(tmp_path, [fact("displays", 9, 0)]).facts["displays"].rows.num_rows == 1
    noon_s = int(NOON.timestamp())
    window = of_window(Window(STREAM, noon_s, noon_s + 60), 0)
    assert from_files(tmp_path, [fact("displays", 9, 0)], window).facts["displays"].rows.num_rows == 2


def kept_from(complete_from_s: int) -> Recent:
    recent = BucketMemory().lend(of_window(Window(STREAM, 0, 10), 0), Listing(Output("/nonexistent")), landing())
    recent.open_facts = OpenFacts(complete_from_us=micros_of(NOON) + complete_from_s * 1_000_000)
    return recent


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([fact("displays", 1, 100)], FromMemory),
        ([fact("displays", 1, 101), fact("outcomes", 2, 99.999999)], FromFiles),
        ([fact("requests", 1, 0)], FromMemory),
        ([], FromMemory),
    ],
    ids=["at the bound", "one earlier", "no fact", "nothing"],
)  # fmt: skip
def test_memory_is_enough_for_facts_from_its_bound_on(facts: list[Fact], expected: type) -> None:
    curated = CuratedBucket(
        of_window(Window(STREAM, 0, 10), 0), tables_of(facts), clock=Clock(NOON + timedelta(hours=1))
    )
    assert type(gather(curated, kept_from(100), HORIZON, LOOKBACK)) is expected
    nothing_kept = kept_from(0)
    nothing_kept.open_facts = None
    assert type(gather(curated, nothing_kept, HORIZON, LOOKBACK)) is FromFiles


SPANS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 9)), max_size=8)


@given(SPANS, st.lists(st.sampled_from("abcd"), unique=True))
def test_spans_by_place_are_those_of_a_dictionary(spans: list[tuple[str, int, int]], ids: list[str]) -> None:
    columns = [np.array([span[n] for span in spans], dtype=np.int64) for n in (1, 2, 2)]
    found = by_place(pa.array([key for key, _, _ in spans], pa.string()), columns, pa.array(ids, pa.string()))
    expected = {place: [(first, end) for key, first, end in spans if key == wanted] for place, wanted in enumerate(ids)}
    assert {**found} == {place: lives for place, lives in expected.items() if lives}


def test_spans_of_a_life_are_its_first_fact_and_its_end() -> None:
    times = pa.array([5, 9], TIMESTAMP)
    table = pa.table(
        {"suggestion_id": ["a", "b"], "kind": ["ghost_text", "next_edit"], "opportunity_id": ["x", "y"],
         "closed_at": times, "first_received_at": pa.array([1, 2], TIMESTAMP)}
    )  # fmt: skip
    ids, spans = life_spans(table)
    assert (ids.to_pylist(), [span.tolist() for span in spans]) == (["a", "y"], [[1, 2], [5, 9]])


@pytest.mark.parametrize("tell", [lambda m: m.facts["displays"], lambda m: m.facts["redactions"]], ids=["rows", "none"])
def test_rows_of_all_days_are_one_batch_of_plain_columns(tmp_path: Path, tell: Callable) -> None:
    facts = [fact("displays", n, n * DAY_S) for n in range(3)]
    gathered = tell(from_files(tmp_path, facts))
    assert gathered.own_rows == gathered.rows.num_rows in (0, 3)
    assert all(field.nullable for field in gathered.rows.schema)
