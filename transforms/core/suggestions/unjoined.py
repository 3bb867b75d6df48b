"""Displays, outcomes and checks that belong to no suggestion: balanced books do not tell that they are lost to it."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.suggestions.facts import Facts
from transforms.core.suggestions.life_ids import LIFE_ID
from transforms.core.suggestions.lives import Lives
from transforms.core.times import DAY_US, days_of

JOINED = ("displays", "outcomes", "persistence_checks")
"""Datasets whose every row should belong to a suggestion."""

_CHECKS = "persistence_checks"
_LONE_CHECKS = "agent_edit"
"""The kind of which checks alone are a whole life: an agent's edit needs no decision."""

Counts = Counter[tuple[int, str]]
"""(Day since 1970, `<dataset>/<kind>/<reason>`) -> rows."""


def without_id(dataset: str, rows: pa.RecordBatch, own_rows: int) -> Counts:
    """Of the first `own_rows` rows those that name no suggestion, on the day of their receipt.

    `rows` have LIFE_ID; those after the first were counted when they were published. A check of an editor, which
    tells no kind and names an opportunity, is attached to what was accepted there, and is not counted.
    """
    rows = rows.slice(0, own_rows)
    nameless = rows[LIFE_ID].is_null()
    if dataset == _CHECKS:
        nameless = pc.and_(nameless, pc.or_(rows["kind"].is_valid(), rows["opportunity_id"].is_null()))
    if not pc.any(nameless).as_py():
        return Counter()
    found = rows.filter(nameless)
    days = days_of(found["received_at"]).tolist()
    kinds = found["kind"].fill_null("unknown").to_pylist()
    return Counter((day, f"{dataset}/{kind}/no_id") for day, kind in zip(days, kinds, strict=True))


def of_lives(facts: Mapping[str, Facts], lives: Lives) -> Counts:
    """Checks of lives that hold nothing else, on the day on which they closed."""
    count = len(lives.first_us)
    has_more = np.zeros(count, dtype=bool)
    for name, (_, life) in facts.items():
        if name != _CHECKS:
            has_more[life] = True
    rows, life = facts[_CHECKS]
    alone = np.flatnonzero(~has_more[life])
    kinds = rows["kind"].take(pa.array(alone)).fill_null("unknown").to_pylist()
    found = zip(_days(lives, life[alone]), kinds, strict=True)
    return Counter((day, f"{_CHECKS}/{kind}/only_checks") for day, kind in found if kind != _LONE_CHECKS)


def ambiguous(lives: Lives, life_of_check: np.ndarray) -> Counts:
    """Checks that name an opportunity of several next edits; `life_of_check` are the lives they were facts of."""
    return Counter((day, f"{_CHECKS}/next_edit/ambiguous") for day in _days(lives, life_of_check))


def _days(lives: Lives, life: np.ndarray) -> list[int]:
    days: list[int] = (lives.closed_at_us[life] // DAY_US).tolist()
    return days
