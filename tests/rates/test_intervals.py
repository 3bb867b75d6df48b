"""Intervals: equal to a known test where that applies, and true in 95 of 100 experiments where none does."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipelines.rates.intervals import Estimate, difference, ratio_of_sums, relative, sample_ratio_p

EXPERIMENTS = 6_000
PEOPLE = (400, 300)


def test_of_one_draw_a_person_it_is_welchs_test() -> None:
    generator = np.random.default_rng(1)
    one, other = generator.gamma(2, size=50), generator.gamma(3, size=31)
    expected = stats.ttest_ind(other, one, equal_var=False).confidence_interval(0.95)
    estimates = [ratio_of_sums(values, np.ones(len(values))) for values in (one, other)]
    found = difference(*(e for e in estimates if e is not None))
    assert math.isclose(found.low, expected.low, rel_tol=1e-9)
    assert math.isclose(found.high, expected.high, rel_tol=1e-9)
    assert math.isclose(found.value, other.mean() - one.mean(), rel_tol=1e-9)


def test_a_rate_worked_out_by_hand() -> None:
    """Three people accepted 1 of 2, 2 of 4 and 3 of 6: no person differs, so nothing is left to chance."""
    even = ratio_of_sums(np.array([1.0, 2, 3]), np.array([2.0, 4, 6]))
    assert even == Estimate(0.5, 0.0, 3)
    uneven = ratio_of_sums(
        np.array([2.0, 0]), np.array([2.0, 2])
    )  # rest 1 and -1: variance 2, times 2 people, by 4 * 4
    assert uneven == Estimate(0.5, 0.25, 2)


def test_nothing_shown_and_one_person_give_no_estimate() -> None:
    assert ratio_of_sums(np.zeros(5), np.zeros(5)) is None
    assert ratio_of_sums(np.ones(1), np.ones(1)) is None
    assert ratio_of_sums(np.zeros(0), np.zeros(0)) is None


def test_no_ratio_to_nothing() -> None:
    some, none = Estimate(0.5, 0.01, 9), Estimate(0.0, 0.0, 9)
    assert relative(none, some) is None
    assert relative(some, none) is None
    assert difference(none, none) == (0.0, 0.0, 0.0)


def experiments(seed: int, people: int) -> tuple[np.ndarray, np.ndarray]:
    """What each person of each experiment accepted and was shown: few are shown much, and each has an own taste."""
    generator = np.random.default_rng(seed)
    shown = 1 + generator.negative_binomial(1, 0.05, (EXPERIMENTS, people))
    taste = generator.beta(2, 4, (EXPERIMENTS, people))
    return generator.binomial(shown, taste).astype(float), shown.astype(float)


@pytest.mark.parametrize("effect", ["difference", "ratio"])
def test_intervals_hold_the_truth_in_95_of_100_experiments(effect: str) -> None:
    """Both arms are drawn alike: the true difference is 0 and the true ratio is 1."""
    arms = [experiments(seed, people) for seed, people in enumerate(PEOPLE)]
    held = 0
    for one, other in zip(*(zip(*arm, strict=True) for arm in arms), strict=True):
        estimates = [e for e in (ratio_of_sums(*one), ratio_of_sums(*other)) if e is not None]
        interval = difference(*estimates) if effect == "difference" else relative(*estimates)
        assert interval is not None
        held += interval.low <= (0 if effect == "difference" else 1) <= interval.high
    assert 0.94 <= held / EXPERIMENTS <= 0.96


def test_suggestions_are_no_independent_draws() -> None:
    """Why people are what is drawn: the interval of so many independent suggestions holds the truth far less often."""
    held = 0
    arms = [experiments(seed, people) for seed, people in enumerate(PEOPLE)]
    for (one, of_one), (other, of_other) in zip(*(zip(*arm, strict=True) for arm in arms), strict=True):
        rates = one.sum() / of_one.sum(), other.sum() / of_other.sum()
        variance = sum(r * (1 - r) / n.sum() for r, n in zip(rates, (of_one, of_other), strict=True))
        held += abs(rates[1] - rates[0]) <= 1.96 * math.sqrt(variance)
    assert held / EXPERIMENTS < 0.75


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=40), st.randoms())
def test_the_order_of_people_changes_nothing(people: list[tuple[int, int]], random) -> None:
    shuffled = list(people)
    random.shuffle(shuffled)
    made = [ratio_of_sums(*np.array(order, float).T) for order in (people, shuffled)]
    if made[0] is None or made[1] is None:
        assert made[0] is made[1]
        return
    assert math.isclose(made[0].value, made[1].value, rel_tol=1e-9)
    assert math.isclose(made[0].variance, made[1].variance, rel_tol=1e-6, abs_tol=1e-12)


def test_sample_ratio() -> None:
    """The first one is an example of Kohavi, Tang, Xu: Trustworthy Online Controlled Experiments, 2020, chapter 3."""
    assert math.isclose(sample_ratio_p([821_588, 815_482], [1, 1]), 1.8e-6, rel_tol=0.05)
    assert sample_ratio_p([5_000, 5_050], [50, 50]) > 0.5
    assert sample_ratio_p([9_000, 1_000], [90, 10]) == 1
    assert math.isclose(sample_ratio_p([60, 40], [1, 1]), 0.0455, abs_tol=1e-4)  # chi-squared 4 with 1 degree
