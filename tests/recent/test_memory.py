"""Who owns a bucket's memory: lent once, given back when the files are written, settled once; a loan that is over is none."""

from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import PipelineError
from tests.conftest import landing
from transforms.core.output.layout import Output
from transforms.core.recent.memory import BucketMemory, Published
from transforms.core.shuffle.windows import Portion, Window, of_window

STREAM = "0123456789abcdef"
LISTING = Output("/nonexistent").listing()
NOTHING = Published({}, None, None, None)
FIRST, SECOND = (Window(STREAM, at, at + 10) for at in (0, 10))


def test_nothing_is_kept_of_a_batch_input() -> None:
    memory, portion = BucketMemory(), Portion("x", 0)
    first = memory.lend(portion, LISTING, landing())
    assert not first.is_kept
    memory.give_back(portion, first.loan, NOTHING)
    assert memory.lend(portion, LISTING, landing()) is not first


def test_the_next_window_goes_on_with_what_was_given_back() -> None:
    memory = BucketMemory()
    first = memory.lend(of_window(FIRST, 0), LISTING, landing())
    memory.give_back(of_window(FIRST, 0), first.loan, Published({}, 7, 3, None))
    again = memory.lend(of_window(SECOND, 0), LISTING, landing())
    assert again is first
    assert (again.latest_us, again.quiet_since_s) == (7, 3)
    assert memory.lend(of_window(SECOND, 1), LISTING, landing()) is not first  # another bucket's


@pytest.mark.parametrize(
    "after", [Window(STREAM, 20, 30), Window(STREAM, 0, 10), Window("another", 10, 20)], ids=["gap", "again", "stream"]
)
def test_only_the_window_that_follows_goes_on(after: Window) -> None:
    memory = BucketMemory()
    first = memory.lend(of_window(FIRST, 0), LISTING, landing())
    memory.give_back(of_window(FIRST, 0), first.loan, NOTHING)
    assert memory.lend(of_window(after, 0), LISTING, landing()) is not first


def test_what_was_lent_is_not_kept_unless_it_is_given_back() -> None:
    """A try that failed has half changed it."""
    memory = BucketMemory()
    failed = memory.lend(of_window(FIRST, 0), LISTING, landing())
    again = memory.lend(of_window(FIRST, 0), LISTING, landing())
    assert again is not failed
    for use in (memory.lent, partial(memory.give_back, published=NOTHING)):
        with pytest.raises(PipelineError, match="another try"):
            use(of_window(FIRST, 0), failed.loan)
    assert memory.lent(of_window(FIRST, 0), again.loan) is again
    memory.give_back(of_window(FIRST, 0), again.loan, NOTHING)
    with pytest.raises(PipelineError, match="another try"):
        memory.lent(of_window(FIRST, 0), again.loan)


def test_a_window_whose_files_were_there_already_leaves_nothing() -> None:
    memory = BucketMemory()
    first = memory.lend(of_window(FIRST, 0), LISTING, landing())
    memory.give_back(of_window(FIRST, 0), first.loan, None)
    assert memory.lend(of_window(SECOND, 0), LISTING, landing()) is not first


@pytest.mark.parametrize("is_settled", [True, False])
def test_what_was_put_off_is_done_once_and_in_order(is_settled: bool) -> None:
    done: list[int] = []
    memory = BucketMemory()
    recent = memory.lend(of_window(FIRST, 0), LISTING, landing())
    for number in range(3):
        recent.put_off(partial(done.append, number))
    memory.give_back(of_window(FIRST, 0), recent.loan, NOTHING)
    assert done == []
    if is_settled:
        memory.settle(of_window(FIRST, 0))
        memory.settle(of_window(FIRST, 0))
        assert done == [0, 1, 2]
    assert memory.lend(of_window(SECOND, 0), LISTING, landing()) is recent
    assert done == [0, 1, 2]
    memory.settle(of_window(FIRST, 0))  # it is lent, and none of this bucket's business
    assert done == [0, 1, 2]


def test_what_was_put_off_and_failed_is_not_kept() -> None:
    def fail() -> None:
        raise MemoryError

    done: list[str] = []
    memory = BucketMemory()
    recent = memory.lend(of_window(FIRST, 0), LISTING, landing())
    for work in (partial(done.append, "first"), fail, partial(done.append, "last")):
        recent.put_off(work)
    memory.give_back(of_window(FIRST, 0), recent.loan, NOTHING)
    with pytest.raises(MemoryError):
        memory.settle(of_window(FIRST, 0))
    memory.settle(of_window(FIRST, 0))
    assert done == ["first"]
    assert (
        memory.lend(of_window(SECOND, 0), LISTING, landing()) is not recent
    )  # half taken in would be wrong; the files are read


def test_steps_of_one_process_share_a_memory(tmp_path: Path) -> None:
    assert BucketMemory.of(Output(str(tmp_path))) is BucketMemory.of(Output(str(tmp_path)))
    assert BucketMemory.of(Output(str(tmp_path))) is not BucketMemory.of(Output("elsewhere"))


@given(st.lists(st.tuples(st.sampled_from("lgsx"), st.integers(0, 1)), max_size=30))
def test_any_order_of_calls_against_a_plain_model(calls: list[tuple[str, int]]) -> None:
    """Lend, give back, settle and fail, of two buckets: who is lent what, and what was put off is done at most once."""
    memory, done = BucketMemory(), []
    begin_s, lent, kept = [0, 0], {}, {}
    for number, (call, bucket) in enumerate(calls):
        portion = of_window(Window(STREAM, begin_s[bucket], begin_s[bucket] + 10), bucket)
        if call == "l":
            recent = memory.lend(portion, LISTING, landing())
            expected = kept.pop(bucket, None)
            assert expected is None or recent is expected
            assert recent.loan not in {r.loan for r in lent.values() if r is not recent}
            recent.put_off(partial(done.append, number))
            lent[bucket] = recent
        elif call == "g" and bucket in lent:
            kept[bucket] = lent.pop(bucket)
            memory.give_back(portion, kept[bucket].loan, NOTHING)
            begin_s[bucket] += 10
        elif call == "s":
            memory.settle(portion)
        elif call == "x":
            lent.pop(bucket, None)
    assert len(done) == len(set(done))
    for bucket, recent in lent.items():
        portion = of_window(Window(STREAM, begin_s[bucket], begin_s[bucket] + 10), bucket)
        assert memory.lent(portion, recent.loan) is recent


def test_keys_that_were_published_are_found_and_forgotten() -> None:
    memory = BucketMemory()
    recent = memory.lend(of_window(FIRST, 0), LISTING, landing())
    key, time = pa.array(["0" * 31 + "1"]), 5_000_000
    stamps = pa.array([time], pa.timestamp("us", "UTC"))
    lookback = timedelta(seconds=1)
    assert len(recent.same_keys("displays", key, stamps.cast(pa.int64()).to_numpy(), lookback)[0]) == 0
    day = date(1970, 1, 1)
    table = pa.table({"event_id": key, "received_at": stamps})
    memory.give_back(of_window(FIRST, 0), recent.loan, Published({("displays", day): table}, time, None, None))
    recent = memory.lend(of_window(SECOND, 0), LISTING, landing())
    found, times = recent.same_keys("displays", key, stamps.cast(pa.int64()).to_numpy(), lookback)
    assert (found.to_pylist(), times.tolist()) == (key.to_pylist(), [time])
    memory.give_back(of_window(SECOND, 0), recent.loan, Published({}, time, None, time + 1))
    recent = memory.lend(of_window(Window(STREAM, 20, 30), 0), LISTING, landing())
    later = stamps.cast(pa.int64()).to_numpy() + 2_000_000
    assert len(recent.same_keys("displays", key, later, lookback)[0]) == 0
