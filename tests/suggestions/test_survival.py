"""Survival by method: what is mean, what is latest, what is unobserved, and what is nothing at all."""

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.support.facts import NOON, batch_of, fact
from transforms.core.suggestions.facts import Facts
from transforms.core.suggestions.rows import ATTACHED
from transforms.core.suggestions.survival import Lived, survival
from transforms.core.times import micros_of

NOON_US = micros_of(NOON)
SECOND_US = 1_000_000


def check(number: int, check_s: int, **values: Any) -> dict[str, Any]:
    return fact("persistence_checks", number, 1 + check_s, **{"check_s": check_s, "method": "four_gram", **values})[1]


def survived(
    own: list[dict[str, Any]], attached: list[dict[str, Any]] | None = None, kind: str | None = "next_edit",
    accepted_s: int | None = 0, closed_s: int = 3600,
) -> dict[str, Any]:  # fmt: skip
    """The columns of one life."""
    columns = list(ATTACHED["persistence_checks"])
    facts = [
        Facts(batch_of("persistence_checks", rows), np.zeros(len(rows), dtype=np.int64))
        for rows in (own, attached or [])
    ]
    accepted_us = -1 if accepted_s is None else NOON_US + accepted_s * SECOND_US
    lived = Lived(pa.array([kind], pa.string()), np.array([accepted_us]), np.array([NOON_US + closed_s * SECOND_US]))
    made = survival(facts[0], Facts(facts[1].rows.select(columns), facts[1].life), lived)
    return {name: values.to_pylist()[0] for name, values in zip(made.column_names, made.columns, strict=True)}


def test_methods_stand_beside_each_other_and_are_never_mixed() -> None:
    found = survived([
        check(1, 0, retained_ratio=1.0, no_revert_ratio=1.0, retained_chars=40),
        check(2, 30, retained_ratio=0.5, no_revert_ratio=0.75, retained_chars=10),
        check(3, 120, method="no_revert", retained_ratio=0.25, no_revert_ratio=0.25),
        check(4, 300, method="lexical_distance", relative_edit_distance=0.0),
    ])  # fmt: skip
    assert (found["four_gram_30s_ratio"], found["no_revert_30s_ratio"]) == (0.5, 0.75)
    assert (found["retained_30s_chars"], found["retained_30s_ratio"], found["original_chars"]) == (10, 0.25, 40)
    assert (found["four_gram_120s_ratio"], found["no_revert_120s_ratio"]) == (None, 0.25)
    assert [found[f"survival_{s}s"] for s in (0, 5, 30, 60, 120, 300)] == [
        "observed", "unobserved", "observed", None, "observed", "unobserved",
    ]  # fmt: skip


def test_a_request_of_several_edits_has_their_mean_and_their_number_in_any_order() -> None:
    ids = [f"{n:016x}{0:016x}" for n in range(4)]
    told = zip(ids, (0.1, 0.2, 0.3, 0.7), strict=True)
    rows = [check(0, 30, event_id=i, retained_ratio=ratio, no_revert_ratio=1.0) for i, ratio in told]
    expected = survived(rows, kind="agent_edit")
    assert expected["four_gram_30s_ratio"] == pytest.approx(0.325)
    assert expected["edits_checked"] == 4
    for seed in range(20):
        shuffled = random.Random(seed).sample(rows, len(rows))
        assert survived(shuffled, kind="agent_edit") == expected, "to the last bit"


def test_after_another_branch_was_checked_out_nothing_is_observed() -> None:
    found = survived([check(1, 5, retained_ratio=0.0, no_revert_ratio=0.0, retained_chars=0, did_branch_change=True)])
    assert (found["survival_5s"], found["four_gram_5s_ratio"], found["retained_5s_chars"]) == ("unobserved", None, None)


def test_the_editors_count_of_characters_goes_before_the_extensions() -> None:
    own = [check(1, 0, retained_ratio=1.0, retained_chars=40), check(2, 30, retained_ratio=1.0, retained_chars=30)]
    editors = [check(3, 30, method="retained_chars", retained_chars=20, original_chars=50)]
    found = survived(own, editors)
    assert (found["retained_30s_chars"], found["retained_30s_ratio"], found["original_chars"]) == (20, 0.4, 50)
    assert (found["retained_0s_chars"], found["retained_0s_ratio"]) == (40, 1.0)


@pytest.mark.parametrize(
    ("kind", "accepted_s", "closed_s", "state"),
    [
        ("next_edit", None, 3600, "not_applicable"),
        ("next_edit", 0, 120, "unobserved"),
        ("next_edit", 0, 119, None),
        ("inline_chat", 0, 120, "unobserved"),
        ("agent_edit", None, 3600, "not_applicable"),
        ("agent_edit", 0, 120, "unobserved"),
        ("ghost_text", 0, 3600, "not_applicable"),
        (None, 0, 3600, "not_applicable"),
    ],
)
def test_what_was_not_reported(kind: str | None, accepted_s: int | None, closed_s: int, state: str | None) -> None:
    assert survived([], kind=kind, accepted_s=accepted_s, closed_s=closed_s)["survival_120s"] == state


def test_an_agents_edit_is_there_without_an_acceptance_and_ghost_text_once_it_was_reported_on() -> None:
    rows = [check(1, 5, retained_ratio=0.5)]
    agent = survived(rows, kind="agent_edit", accepted_s=None, closed_s=121)
    assert (agent["survival_5s"], agent["survival_120s"], agent["survival_300s"]) == ("observed", "unobserved", None)
    assert survived(rows, kind="next_edit", accepted_s=None)["four_gram_5s_ratio"] is None
    arc = [check(1, 30, method="retained_chars", retained_chars=20, original_chars=50)]
    ghost = survived([], arc, kind="ghost_text")
    assert (ghost["survival_30s"], ghost["retained_30s_ratio"], ghost["survival_120s"]) == (
        "observed",
        0.4,
        "unobserved",
    )


def test_no_base_is_no_ratio() -> None:
    rows = [
        check(1, 0, method="retained_chars", retained_chars=0),
        check(2, 30, method="retained_chars", retained_chars=5),
    ]
    found = survived(rows)
    assert (found["retained_30s_chars"], found["retained_30s_ratio"]) == (5, None)
    assert survived([check(1, 30, retained_ratio=-1.0)])["survival_30s"] == "unobserved"
