"""Arms of an experiment side by side: each rate of each kind and arm against that of the first arm."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import duckdb
import numpy as np

from pipelines.rates.acceptance import count_people
from pipelines.rates.assignments import Assignment, assign
from pipelines.rates.intervals import Interval, difference, ratio_of_sums, relative, sample_ratio_p
from pipelines.rates.kinds import ANY, GHOST_TEXT, IN_WORDS, KINDS, NEXT_EDIT
from schemas.errors import InvalidOptions

MISMATCH_P = 0.001
"""Below this the groups are not as large as planned, and no figure should be believed."""


class Rate(NamedTuple):
    """A rate of one kind as a ratio of two sums over people: columns of `people`."""

    kind: str
    name: str
    numerator: str
    denominator: str


RATES = (
    Rate(GHOST_TEXT, "acceptance_rate", "accepted", "shown"),
    Rate(GHOST_TEXT, "shown_rate", "shown", "opportunities"),
    Rate(GHOST_TEXT, "hide_rate", "hidden", "shown"),
    Rate(GHOST_TEXT, "unchanged_30s_rate", "unchanged_30s", "observed_30s"),
    Rate(GHOST_TEXT, "unchanged_600s_rate", "unchanged_600s", "observed_600s"),
    Rate(GHOST_TEXT, "accepted_chars_per_opportunity", "accepted_chars", "opportunities"),
    Rate(GHOST_TEXT, "accepted_chars_per_active_hour", "accepted_chars", "active_hours"),
    Rate(NEXT_EDIT, "acceptance_rate", "accepted", "shown"),
    Rate(NEXT_EDIT, "shown_rate", "shown", "opportunities"),
    Rate(NEXT_EDIT, "hide_rate", "hidden", "shown"),
    Rate(NEXT_EDIT, "four_gram_30s_ratio", "four_gram_kept_30s", "four_gram_observed_30s"),
    Rate(NEXT_EDIT, "four_gram_600s_ratio", "four_gram_kept_600s", "four_gram_observed_600s"),
    Rate(NEXT_EDIT, "retained_600s_ratio", "retained_600s_chars", "retained_600s_of_chars"),
    *(Rate(kind, "acceptance_rate", "accepted", "decided") for kind in IN_WORDS),
    *(Rate(kind, "four_gram_600s_ratio", "four_gram_kept_600s", "four_gram_observed_600s") for kind in IN_WORDS),
    Rate(ANY, "failed_requests_rate", "failed_requests", "requests"),
)
"""What arms are compared by: what is to get better, and what must not get worse."""

COLUMNS = {name for rate in RATES for name in (rate.numerator, rate.denominator)}


@dataclass(frozen=True)
class Comparison:
    """A rate of one kind and arm against the first arm's; an interval is None where the rates do not allow one."""

    kind: str
    rate: str
    control: str
    arm: str
    control_value: float | None
    arm_value: float | None
    difference: Interval | None
    ratio: Interval | None


@dataclass(frozen=True)
class Arms:
    """People by arm, the test of their numbers, and each rate of each arm against the first one.

    `in_several` are people whom the data show in more than one arm; they are in none. `too_few` are arms of which no
    figure is given, as they have fewer people than figures may be about.
    """

    source: str
    people: dict[str, int]
    in_several: int
    too_few: list[str]
    sample_ratio_p: float | None
    comparisons: list[Comparison]

    @property
    def is_mismatch(self) -> bool:
        """Whether the arms' sizes are so far from the planned ones that the comparison should not be believed."""
        return self.sample_ratio_p is not None and self.sample_ratio_p < MISMATCH_P


def compare(connection: duckdb.DuckDBPyConnection, assignment: Assignment, min_installations: int) -> Arms:
    """Compares arms over the table `facts`; one installation is one person, and counts in the arm it was assigned to.

    Raises InvalidOptions where the data hold nobody of any arm.
    """
    in_several = assign(connection, assignment)
    count_people(connection, COLUMNS)
    sums = {arm: {kind: _sums(connection, arm, kind) for kind in (*KINDS, ANY)} for arm in assignment.arms}
    people = {arm: len(of_kind[ANY]["requests"]) for arm, of_kind in sums.items()}
    if not any(people.values()):
        raise InvalidOptions(f"--arms {assignment.source}: none of the installations in the datasets is in an arm")
    too_few = [arm for arm, count in people.items() if count < min_installations]
    known = [arm for arm in assignment.arms if arm not in too_few]
    p = sample_ratio_p([*people.values()], assignment.shares)
    pairs = [(rate, arm) for rate in RATES for arm in known[1:]] if known[:1] == [assignment.arms[0]] else []
    compared = (_compared(rate, assignment.arms[0], arm, sums) for rate, arm in pairs)
    comparisons = [c for c in compared if (c.control_value, c.arm_value) != (None, None)]
    told = {arm: count for arm, count in people.items() if arm not in too_few}
    return Arms(assignment.source, told, in_several, too_few, None if too_few else p, comparisons)


Sums = dict[str, dict[str, dict[str, np.ndarray]]]
"""Arm -> kind -> column of `people` -> its value for each person of the arm, in one order."""


def _sums(connection: duckdb.DuckDBPyConnection, arm: str, kind: str) -> dict[str, np.ndarray]:
    """A person of whom nothing of this kind is known has 0: they were drawn as the others were."""
    columns = sorted({name for rate in RATES if rate.kind == kind for name in rate[2:]})
    listed = ", ".join(f"coalesce({name}, 0)::double as {name}" for name in columns)
    return connection.execute(
        f"""
        select {listed} from (select distinct person from people where arm = $arm)
        left join (select * from people where arm = $arm and kind = $kind) using (person) order by person
    """,
        {"arm": arm, "kind": kind},
    ).fetchnumpy()


def _compared(rate: Rate, control: str, arm: str, sums: Sums) -> Comparison:
    found = (sums[name][rate.kind] for name in (control, arm))
    one, other = (ratio_of_sums(columns[rate.numerator], columns[rate.denominator]) for columns in found)
    values = (None if one is None else one.value, None if other is None else other.value)
    intervals = (None, None) if one is None or other is None else (difference(one, other), relative(one, other))
    return Comparison(rate.kind, rate.name, control, arm, *values, *intervals)


def as_document(arms: Arms) -> dict[str, Any]:
    """Everything as one JSON object; each comparison is flat, so that it is a row of a table."""
    return {**asdict(arms), "is_mismatch": arms.is_mismatch, "comparisons": [*map(_row, arms.comparisons)]}


def _row(compared: Comparison) -> dict[str, Any]:
    row = {name: getattr(compared, name) for name in ("kind", "rate", "control", "arm", "control_value", "arm_value")}
    for name in ("difference", "ratio"):
        value, low, high = getattr(compared, name) or (None, None, None)
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return row


def describe(arms: Arms) -> list[str]:
    """Lines for people."""
    lines = ["people: " + ", ".join(f"{arm} {count}" for arm, count in arms.people.items())]
    if arms.in_several:
        lines.append(f"in several arms, and in none of these: {arms.in_several}")
    if arms.too_few:
        lines.append(f"arms of too few people, of which no figure is given: {', '.join(arms.too_few)}")
    if arms.sample_ratio_p is not None:
        lines.append(f"sample ratio: p = {arms.sample_ratio_p:.4f}")
    if arms.is_mismatch:
        lines.append("the arms are not as large as planned: find out why before you believe a figure")
    for c in arms.comparisons:
        values = f"{c.control} {number_text(c.control_value)}, {c.arm} {number_text(c.arm_value)}"
        lines.append(f"{c.kind} {c.rate}: {values}; difference {interval_text(c.difference)}; "
                     f"ratio {interval_text(c.ratio)}")  # fmt: skip
    return lines


def number_text(value: float | None) -> str:
    """Four digits that count, or `unknown`."""
    return "unknown" if value is None else f"{value:.4g}"


def interval_text(interval: Interval | None) -> str:
    """A value and the ends of its interval, or `unknown`."""
    return "unknown" if interval is None else f"{interval.value:.4g} ({interval.low:.4g} to {interval.high:.4g})"
