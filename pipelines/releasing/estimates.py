"""Noised counts -> columns of `acceptance`, each as good as the noise allows, with the error that the noise brings.

All of it is made of what was drawn, so it tells nothing more about anybody.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from pipelines.rates.counts import FIGURES

LEAST_DEVIATIONS = 5
"""A rate is null where its denominator is less than so many standard deviations of its noise."""

_SHOWN = ("accepted_full", "accepted_partial", "rejected", "dismissed", "typed_over", "ignored")
_DECIDED = _SHOWN[:4]
_HIDDEN = ("rejected", "dismissed", "typed_over")
_LOOKS_S = (30, 600)

SUMS: dict[str, tuple[str, ...]] = {
    "accepted": _SHOWN[:2], "decided": _DECIDED, "shown": _SHOWN, "no_outcome": ("typed_over", "ignored", "undecided"),
    **{f"observed_{s}s": (f"unchanged_{s}s", f"little_changed_{s}s", f"changed_{s}s") for s in _LOOKS_S},
    **{f"mostly_unchanged_{s}s": (f"unchanged_{s}s", f"little_changed_{s}s") for s in _LOOKS_S},
    **{f"four_gram_observed_{s}s": (f"four_gram_kept_{s}s", f"four_gram_lost_{s}s") for s in _LOOKS_S},
    "retained_600s_of_chars": ("retained_600s_chars", "retained_600s_lost"),
    "requests": ("requests_fine", "failed_requests"),
}  # fmt: skip
"""Columns that several parts make; any other is the part of its name."""


class Ratio(NamedTuple):
    """A rate: parts above, parts below, and times what."""

    above: tuple[str, ...]
    below: tuple[str, ...]
    times: float = 1.0


def _of(above: str, below: str, times: float = 1.0) -> Ratio:
    return Ratio(SUMS.get(above, (above,)), SUMS.get(below, (below,)), times)


RATIOS = {
    "shown_rate": _of("shown", "opportunities"),
    "acceptance_rate": _of("accepted", "shown"),
    "hide_rate": Ratio(_HIDDEN, _SHOWN),
    "ignore_rate": _of("ignored", "shown"),
    **{f"unchanged_{s}s_rate": _of(f"unchanged_{s}s", f"observed_{s}s") for s in _LOOKS_S},
    **{f"mostly_unchanged_{s}s_rate": _of(f"mostly_unchanged_{s}s", f"observed_{s}s") for s in _LOOKS_S},
    **{f"four_gram_{s}s_ratio": _of(f"four_gram_kept_{s}s", f"four_gram_observed_{s}s") for s in _LOOKS_S},
    "retained_600s_ratio": _of("retained_600s_chars", "retained_600s_of_chars"),
    "accepted_chars_per_opportunity": _of("accepted_chars", "opportunities"),
    "accepted_chars_per_active_hour": _of("accepted_chars", "active_hours"),
    "errors_per_1000_requests": _of("errors", "requests", 1000),
    "redactions_per_1000_requests": _of("redactions", "requests", 1000),
}  # fmt: skip
"""Rates that are told; each has a column `..._se` beside it."""

COUNTS_WITH_ERRORS = ("installations", "opportunities", "shown", "accepted", "requests")
UNIT_RATES = ("shown_rate",)
"""Rates that are no more than 1, though the noise of their two counts is drawn apart."""


class Estimate(NamedTuple):
    """A part as it is told, and the standard deviation of its noise."""

    value: int
    deviation: float


def split(drawn: Iterable[float]) -> list[float]:
    """The nearest parts that are not negative and have the same sum: none lies below 0, and no sum grows by that."""
    values = np.asarray([*drawn], float)
    total = max(values.sum(), 0.0)
    falling = np.sort(values)[::-1]
    above = (falling.cumsum() - total) / np.arange(1, len(values) + 1)
    level = above[np.flatnonzero(falling - above >= 0)[-1]]
    return [float(value) for value in np.maximum(values - level, 0)]


def figures(kind: str, parts: Mapping[str, Estimate]) -> dict[str, int | None]:
    """Every count that FIGURES knows: null where the kind does not tell it, or no part of it was drawn."""
    return {
        figure.name: _sum(figure.name, parts) if kind in figure.kinds else None for figure in FIGURES if figure.kinds
    }


def errors(kind: str, parts: Mapping[str, Estimate]) -> dict[str, float | None]:
    """`..._se` of counts and rates: the standard error that the noise brings. A rate's is null where the rate is to be
    null, because its denominator is so small that noise alone might have made it.
    """
    told = {figure.name for figure in FIGURES if kind in figure.kinds}
    of_counts = {name: _deviation(name, parts) if name in told else None for name in COUNTS_WITH_ERRORS}
    of_rates = {name: _ratio_error(_as_told(name, ratio, told), parts) for name, ratio in RATIOS.items()}
    return {f"{name}_se": value for name, value in (of_counts | of_rates).items()}


def _as_told(name: str, ratio: Ratio, told: set[str]) -> Ratio:
    """Of what nobody sees shown, acceptance is a share of what was decided, and no other share is told."""
    if name == "acceptance_rate" and "shown" not in told:
        return ratio._replace(below=_DECIDED)
    is_of_shown = _SHOWN in (ratio.above, ratio.below)
    return Ratio((), ()) if is_of_shown and "shown" not in told else ratio


def _sum(column: str, parts: Mapping[str, Estimate]) -> int | None:
    found = [parts[name].value for name in SUMS.get(column, (column,)) if name in parts]
    return sum(found) if found else None


def _deviation(column: str, parts: Mapping[str, Estimate]) -> float | None:
    found = [parts[name].deviation for name in SUMS.get(column, (column,)) if name in parts]
    return math.hypot(*found) if found else None


def _ratio_error(ratio: Ratio, parts: Mapping[str, Estimate]) -> float | None:
    """By the delta method; parts that are above and below count once, with what they do to both."""
    below = [parts[name] for name in ratio.below if name in parts]
    whole = sum(part.value for part in below)
    if not below or whole < LEAST_DEVIATIONS * math.hypot(*(part.deviation for part in below)):
        return None
    value = sum(parts[name].value for name in ratio.above if name in parts) / whole
    told = [name for name in {*ratio.above, *ratio.below} if name in parts]
    weights = [(name in ratio.above) - value * (name in ratio.below) for name in told]
    return ratio.times * math.hypot(*(w * parts[n].deviation for w, n in zip(weights, told, strict=True))) / whole
