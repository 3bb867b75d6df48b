"""Comparing two groups of people by a rate: difference, ratio, 95 % intervals, and whether the groups are as large as
they were meant to be.

A person is what was assigned to an arm, and one person brings many suggestions, so suggestions are no independent
draws. A rate over suggestions is a ratio of two sums over people, and its variance follows from the people by the
delta method (Deng, Knoblich, Lu: Applying the Delta Method in Metric Analytics, KDD 2018, section 3.1).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A rate over people: its value, its variance, and how many people it is from."""

    value: float
    variance: float
    people: int


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def ratio_of_sums(numerators: np.ndarray, denominators: np.ndarray) -> Estimate | None:
    """sum(numerators) / sum(denominators), one of each a person; None where the rate or its variance is not known.

    The variance is var(n - rate * d) / (people * mean(d)^2): that of the first-order Taylor series of the ratio.
    """
    people, whole = len(denominators), float(denominators.sum())
    if people < 2 or whole == 0:
        return None
    rate = float(numerators.sum()) / whole
    left_over = numerators - rate * denominators
    return Estimate(rate, float(left_over.var(ddof=1)) * people / whole**2, people)


def difference(control: Estimate, treatment: Estimate) -> Interval:
    """The treatment's rate less the control's, with Welch's degrees of freedom."""
    gap = treatment.value - control.value
    half = _quantile(control, treatment) * math.sqrt(control.variance + treatment.variance)
    return Interval(gap, gap - half, gap + half)


def relative(control: Estimate, treatment: Estimate) -> Interval | None:
    """The treatment's rate over the control's; None where one of them is 0.

    The interval is made on the logarithm, where the delta method gives variance / value^2, so it is never below 0.
    """
    if control.value <= 0 or treatment.value <= 0:
        return None
    logs = [Estimate(math.log(e.value), e.variance / e.value**2, e.people) for e in (control, treatment)]
    gap = difference(*logs)
    return Interval(*map(math.exp, gap))


def _quantile(one: Estimate, other: Estimate) -> float:
    """Student's t for two variances that need not be equal (Welch 1947, Satterthwaite 1946); any number where both
    are 0, as it is multiplied by 0.
    """
    from scipy import stats  # noqa: PLC0415 - takes half a second to import, and most runs compare nothing

    total = one.variance + other.variance
    if total == 0:
        return 0.0
    freedom = total**2 / sum(e.variance**2 / (e.people - 1) for e in (one, other))
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))


def sample_ratio_p(people: Sequence[int], shares: Sequence[float]) -> float:
    """How likely counts of people are at least so far from the planned shares by chance: Pearson's chi-squared test.

    Below 0.001 the assignment or its recording is broken, and the comparison should not be believed (Fabijan et al.:
    Diagnosing Sample Ratio Mismatch in Online Controlled Experiments, KDD 2019).
    """
    from scipy import stats  # noqa: PLC0415 - as above

    planned = np.array(shares) / sum(shares) * sum(people)
    return float(stats.chisquare(people, planned).pvalue)
