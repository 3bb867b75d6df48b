"""Lives of made-up suggestions on their edges: where one ends, what it came to, what a check then says."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.synthetic.event import Event
from pipelines.synthetic.events import Person
from pipelines.synthetic.figures import _over, _percentile
from pipelines.synthetic.lives import HORIZON, TrueLives

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
SOMEONE = Person("m", "u", "applicationinsights", "ndjson", "all", True, "192.0.2.1", "GB", ("linux", "6"), True, "1")


def event(name: str, dataset: str, at_s: float = 0, kind: str = "full", **numbers: float) -> Event:
    return Event(name, dataset, {"clientCompletionId": "c", "compType": kind}, numbers, int(at_s * 1000))


def shown(at_s: float = 0) -> Event:
    return event("ghostText.shown", "displays", at_s)


def check(check_s: int, ratio: float) -> Event:
    return event("ghostText.stillInCode", "persistence_checks", timeout=check_s, relativeLexEditDistance=ratio)


def lives_of(*facts: tuple[float, Event], clock_s: float | None = None) -> TrueLives:
    lives = TrueLives()
    for received_s, fact in facts:
        lives.land(SOMEONE, fact, NOON + timedelta(seconds=received_s))
    return lives


@pytest.mark.parametrize(("gap_s", "late"), [(HORIZON.total_seconds(), 0), (HORIZON.total_seconds() + 1, 1)])
def test_a_life_ends_after_the_horizon_and_what_comes_then_is_late(gap_s: float, late: int) -> None:
    (life,) = lives_of((gap_s, shown(gap_s)), (0, shown())).lives(None)
    assert (len(life.facts), len(life.late)) == (2 - late, late)
    assert life.closed_at == life.facts[-1].received


@pytest.mark.parametrize(("clock_s", "closed_s"), [(60, 60), (1800, 1800), (1801, 1800), (90_000, 1800)])
def test_a_life_is_closed_a_horizon_after_its_last_fact_or_where_the_clock_stands(clock_s: int, closed_s: int) -> None:
    (life,) = lives_of((0, shown())).lives(NOON + timedelta(seconds=clock_s))
    assert life.closed_at == NOON + timedelta(seconds=closed_s)


ACCEPTED, PARTIAL = event("ghostText.accepted", "outcomes", 3), event("ghostText.accepted", "outcomes", 1, "partial")
DISMISSED, REJECTED = event("ghostText.dismissed", "outcomes", 2), event("ghostText.rejected", "outcomes", 2)


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([], "none"),
        ([REJECTED], "rejected"),
        ([REJECTED, DISMISSED], "dismissed"),
        ([REJECTED, DISMISSED, PARTIAL], "partially_accepted"),
        ([PARTIAL, ACCEPTED, REJECTED], "accepted"),
    ],
)
def test_the_better_outcome_wins_in_whatever_order_they_come(events: list[Event], outcome: str) -> None:
    for order in (events, events[::-1]):
        (life,) = lives_of((0, shown()), *((1 + n, e) for n, e in enumerate(order))).lives(None)
        assert life.outcome == outcome
        assert (life.decided is None) == (outcome == "none")


@pytest.mark.parametrize(
    ("ratio", "state"),
    [(0, "unchanged"), (1e-9, "mostly_unchanged"), (0.3299, "mostly_unchanged"), (0.33, "changed"), (0.5, "changed"),
     (0.5001, "removed"), (1, "removed")],
)  # fmt: skip
def test_a_checks_words_for_how_much_was_edited(ratio: float, state: str) -> None:
    (life,) = lives_of((0, shown()), (1, ACCEPTED), (40, check(30, ratio))).lives(NOON + timedelta(hours=1))
    assert life.state(30) == state
    assert life.state(120) == "unobserved"
    (rejected,) = lives_of((0, shown()), (1, REJECTED), (40, check(30, ratio))).lives(None)
    assert rejected.state(30) == "not_applicable"


@pytest.mark.parametrize(("closed_s", "state"), [(30, "not_due"), (31, "unobserved"), (32, "unobserved")])
def test_a_check_is_due_so_many_seconds_after_the_decision(closed_s: int, state: str) -> None:
    (life,) = lives_of((0, shown()), (1, ACCEPTED)).lives(NOON + timedelta(seconds=closed_s))
    assert life.state(30) == state


def test_what_has_no_suggestion_is_in_no_life() -> None:
    lives = lives_of((0, Event("request.sent", "requests", {"clientCompletionId": "c"})), (0, Event("x", None, {})),
                     (0, Event("ghostText.shown", "displays", {})))  # fmt: skip
    assert [*lives.lives(None)] == []
    assert lives.as_json(None)["suggestions"] == 0


@given(st.lists(st.floats(-1e9, 1e9), max_size=40).map(sorted), st.integers(0, 100))
def test_percentiles_are_those_of_numpy(values: list[float], share: int) -> None:
    if values:
        assert _percentile(values, share) == pytest.approx(float(np.percentile(values, share)), rel=1e-9, abs=1e-6)
    else:
        assert _percentile(values, share) is None


def test_a_share_of_nothing_is_none() -> None:
    assert (_over(0, 0), _over(1, 0), _over(0, 1), _over(1, 4)) == (None, None, 0, 0.25)
