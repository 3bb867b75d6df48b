"""Noise as it is stated: its spread, what it costs, and that one person alone is not seen."""

import math
import statistics

import pytest

from pipelines.releasing import mechanism
from pipelines.releasing.mechanism import deviation, noised, seen


@pytest.mark.parametrize(("sensitivity", "epsilon"), [(1, 1.0), (60, 0.5), (800_000_000, 4.0)])
def test_noise_has_the_spread_that_is_told_and_is_around_nothing(sensitivity: int, epsilon: float) -> None:
    drawn = noised([5] * 20_000, sensitivity, epsilon)
    spread = deviation(sensitivity, epsilon)
    assert all(isinstance(value, int) for value in drawn)
    assert statistics.pstdev(drawn) == pytest.approx(spread, rel=0.06)
    assert abs(statistics.fmean(drawn) - 5) < 6 * spread / math.sqrt(len(drawn))
    assert drawn != noised([5] * 20_000, sensitivity, epsilon)


def test_one_person_alone_is_not_seen_and_a_crowd_is(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = {f"{n}": 1 for n in range(20_000)}
    assert seen({**alone, "crowd": 1_000}, 0.05, 2.5e-8, 10) == {"crowd"}
    # The threshold is as near as it may be: with a larger delta some of them are seen, about as often as it says.
    assert 20_000 * 0.01 * 0.2 < len(seen(alone, 1.0, 0.01, 1)) < 20_000 * 0.01
    assert seen({}, 1.0, 1e-7, 10) == set()


def test_nothing_is_seen_below_the_least_people_asked_for() -> None:
    assert seen({f"{n}": 500 for n in range(1_000)}, 4.0, 1e-3, 1_000) == set()


def test_a_mechanism_that_costs_more_than_was_meant_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mechanism.math, "log", lambda _: 1.0)  # a threshold that is far too low
    with pytest.raises(ValueError, match="the mechanism spends"):
        seen({"a": 1}, 1.0, 1e-7, 1)
