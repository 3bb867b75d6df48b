"""The one door to OpenDP: discrete Laplace noise on whole numbers, and which keys may be seen at all.

OpenDP draws its noise from the system's randomness, exactly and on whole numbers, so that no floating point tells what
was added. It has no seed: figures are drawn once and kept.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any


@cache
def _opendp() -> Any:
    """OpenDP, loaded when the first figure is drawn: its library is 275 MB large."""
    import opendp.prelude as dp  # noqa: PLC0415 - as above

    dp.enable_features("contrib")
    return dp


def noised(counts: Sequence[int], sensitivity: int, epsilon: float) -> list[int]:
    """The counts with discrete Laplace noise: epsilon-private where one installation changes their sum by at most
    `sensitivity`, over all of them together.
    """
    dp = _opendp()
    of_counts = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    mechanism = dp.m.make_laplace(*of_counts, scale=sensitivity / epsilon)
    _check(mechanism.map(sensitivity), epsilon)
    return list(mechanism([*counts]))


def seen(people: Mapping[str, int], epsilon: float, delta: float, enough: int) -> set[str]:
    """The keys whose noised number of people is large enough, where a person is in the number of one key at most.

    (epsilon, delta)-private: that a key of one person shows has at most the probability `delta`. Never below `enough`.
    """
    dp = _opendp()
    # One person alone is seen with a probability of at most delta: that the noise is threshold - 1 or more.
    threshold = max(enough, 1 + math.ceil(math.log(1 / delta) / epsilon))
    of_counts = (
        dp.map_domain(dp.atom_domain(T=str), dp.atom_domain(T="i64")),
        dp.l01inf_distance(dp.absolute_distance(T="i64")),
    )
    mechanism = dp.m.make_laplace_threshold(*of_counts, scale=1 / epsilon, threshold=threshold)
    spent, missed = mechanism.map((1, 1, 1))
    _check(spent, epsilon)
    _check(missed, delta)
    return {*mechanism(dict(people))}


def deviation(sensitivity: float, epsilon: float) -> float:
    """The standard deviation of the noise that `noised` draws."""
    q = math.exp(-epsilon / sensitivity)
    return math.sqrt(2 * q) / (1 - q)


def _check(spent: float, allowed: float) -> None:
    """OpenDP counts by itself what a mechanism spends, rounded up; more than was meant would be a bug of ours."""
    if spent > allowed * (1 + 1e-9):
        raise ValueError(f"the mechanism spends {spent}, allowed are {allowed}")
