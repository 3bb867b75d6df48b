"""The outcome of a life by its kind."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.support.facts import NOON, batch_of, fact
from transforms.core.suggestions.facts import Facts
from transforms.core.suggestions.lives import Lives
from transforms.core.suggestions.outcome import Checks, outcome_columns
from transforms.core.suggestions.rows import ATTACHED
from transforms.core.times import TIMESTAMP, micros_of


def came_to(kind: str | None, *outcomes: str | None) -> dict[str, Any]:
    """The columns of one life that was shown at noon, and whose outcomes came each a second after the other."""
    rows = [fact("outcomes", n, n + 1, outcome=word, kind=kind)[1] for n, word in enumerate(outcomes)]
    none, noon_us = np.array([], dtype=np.int64), micros_of(NOON)
    noon = np.array([noon_us])
    lives = Lives(none, none, none, np.array([0]), noon, noon, noon + 900_000_000, ["horizon"])
    no_checks = batch_of("persistence_checks", [])
    checks = Checks(Facts(no_checks, none), Facts(no_checks.select(list(ATTACHED["persistence_checks"])), none))
    facts = Facts(batch_of("outcomes", rows), np.zeros(len(rows), dtype=np.int64))
    columns = outcome_columns(facts, pa.array([noon_us], TIMESTAMP), pa.array([kind], pa.string()), lives, checks)
    return {name: values.to_pylist()[0] for name, values in columns.items()}


@pytest.mark.parametrize(
    ("kind", "outcomes", "expected"),
    [
        ("ghost_text", ("rejected", "accepted"), ("accepted", 1, 1)),
        ("agent_edit", ("accepted", "accepted"), ("accepted", 2, 0)),
        ("agent_edit", ("rejected", "accepted", "saved"), ("partially_accepted", 1, 1)),
        ("agent_edit", ("rejected", "rejected"), ("rejected", 0, 2)),
        ("agent_edit", ("saved", "unknown"), ("none", 0, 0)),
        ("next_edit", ("not_accepted",), ("none", 0, 0)),
        ("inline_chat", ("rejected",), ("rejected", 0, 1)),
        (None, ("dismissed", "partially_accepted"), ("partially_accepted", 1, 1)),
    ],
)
def test_outcomes_by_kind(kind: str | None, outcomes: tuple[str, ...], expected: tuple[str, int, int]) -> None:
    found = came_to(kind, *outcomes)
    assert (found["outcome"], found["accept_count"], found["reject_count"]) == expected


@pytest.mark.parametrize(("kind", "ms", "state"), [("ghost_text", 1000.0, "unobserved"), (None, 1000.0, "unobserved"), ("next_edit", None, "not_applicable")])  # fmt: skip
def test_only_ghost_text_is_timed_and_measured_by_distance(kind: str | None, ms: float | None, state: str) -> None:
    found = came_to(kind, "accepted")
    assert (found["decision_ms"], found["persistence_15s"]) == (ms, state)
