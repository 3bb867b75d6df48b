"""Finding the items on which work fails: each alone, the others together, in their order, with few attempts."""

import logging
import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InternalError, KeyUnavailable
from transforms.core.quarantine import unprocessable
from transforms.core.quarantine.unprocessable import STOPPING, Unprocessable, in_parts


class Work:
    """Gives its items; fails where one of them is bad, and counts how often it was tried."""

    def __init__(self, bad: set[int]) -> None:
        self.bad, self.tries = bad, 0

    def together(self, items: object) -> list[tuple[str, int]]:
        self.tries += 1
        found = [int(item) for item in items]  # type: ignore[attr-defined]
        if self.bad & set(found):
            raise LookupError(min(self.bad & set(found)))
        return [("good", item) for item in found]

    def alone(self, items: object, error: Exception) -> list[tuple[str, int]]:
        (item,) = (int(i) for i in items)  # type: ignore[attr-defined]
        assert error.args == (item,)
        return [("bad", item)]


@given(st.integers(1, 40), st.sets(st.integers(0, 39), max_size=12), st.booleans())
def test_every_item_has_its_own_fate_in_order(count: int, bad: set[int], is_array: bool) -> None:
    work = Work(bad)
    items = np.arange(count) if is_array else list(range(count))
    found = [fate for part in in_parts(items, work.together, work.alone) for fate in part]
    assert found == [("bad" if n in bad else "good", n) for n in range(count)]
    bad_here = len([n for n in bad if n < count])
    assert work.tries <= 1 + 2 * bad_here * math.ceil(math.log2(count) if count > 1 else 1)


@pytest.mark.parametrize("error", [KeyUnavailable("x"), OSError("x"), *(kind("x") for kind in STOPPING)])
def test_what_is_no_items_fault_stops_at_once(error: Exception) -> None:
    tries: list[int] = []

    def work(items: list[int]) -> list[int]:
        tries.append(len(items))
        raise error

    with pytest.raises(type(error)):
        list(in_parts([1, 2, 3], work, lambda items, _: items))
    assert tries == [3]


@pytest.mark.parametrize("error", [MemoryError, RecursionError, AssertionError])
def test_lack_of_memory_is_met_by_smaller_parts(error: type[Exception]) -> None:
    def work(items: list[int]) -> list[int]:
        if len(items) > 2:
            raise error
        return items

    found = list(in_parts([1, 2, 3, 4, 5], work, lambda items, _: pytest.fail(str(items))))
    assert [item for part in found for item in part] == [1, 2, 3, 4, 5]


def test_an_error_of_putting_aside_passes() -> None:
    def alone(_: list[int], error: Exception) -> list[int]:
        raise InternalError("one too many") from error

    with pytest.raises(InternalError):
        list(in_parts([1], lambda _: ["".index("x")], alone))


@given(st.integers(0, 30), st.integers(0, 40))
def test_just_as_many_may_go_aside_as_were_allowed(most: int, count: int) -> None:
    counted = Unprocessable(most)
    for number in range(count):
        if number < most:
            counted.add(LookupError())
        else:
            with pytest.raises(InternalError, match=rf"the {number + 1} payloads .*\({most}\)"):
                counted.add(LookupError())


@pytest.mark.parametrize(("events", "most"), [(0, 1000), (999_999, 1000), (1_001_000, 1001), (10_000_000, 10_000)])
def test_of_very_many_events_one_in_a_thousand_may_go_aside(events: int, most: int) -> None:
    counted = Unprocessable()
    counted.saw(events)
    for _ in range(most):
        counted.add(LookupError())
    with pytest.raises(InternalError):
        counted.add(LookupError())


def test_runs_count_by_themselves_and_workers_of_one_run_together() -> None:
    import pickle

    one, other = Unprocessable(100), Unprocessable(100)
    workers = [pickle.loads(pickle.dumps(one)) for _ in range(4)]
    threads = [threading.Thread(target=lambda w=w: [w.add(LookupError()) for _ in range(25)]) for w in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.add(LookupError())
    with pytest.raises(InternalError, match="the 101 payloads"):
        one.add(LookupError())


def test_each_bug_is_told_once_a_run_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    counted = Unprocessable(100)
    with caplog.at_level(logging.WARNING, unprocessable.__name__):
        for _ in range(3):
            counted.add(LookupError("zofia"))
            counted.add(ValueError("zofia"))
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["LookupError", "ValueError"]
    assert "zofia" not in caplog.text
