"""What belongs to no suggestion, and what only seems to."""

from typing import Any

import numpy as np
import pytest

from tests.support.facts import NOON, batch_of, fact
from transforms.core.suggestions import unjoined
from transforms.core.suggestions.facts import Facts
from transforms.core.suggestions.life_ids import with_life_ids
from transforms.core.suggestions.lives import Lives
from transforms.core.suggestions.rows import FACTS
from transforms.core.times import DAY_US, micros_of

TODAY = micros_of(NOON) // DAY_US
NONE = np.array([], dtype=np.int64)


@pytest.mark.parametrize(
    ("dataset", "values", "key"),
    [
        ("displays", {"suggestion_id": "s"}, None),
        ("displays", {"suggestion_id": None, "kind": "ghost_text"}, "displays/ghost_text/no_id"),
        ("outcomes", {"suggestion_id": None, "kind": None}, "outcomes/unknown/no_id"),
        ("outcomes", {"suggestion_id": None, "kind": "next_edit", "opportunity_id": "o"}, None),
        ("persistence_checks", {"suggestion_id": None, "kind": None, "opportunity_id": "o"}, None),
        ("persistence_checks", {"suggestion_id": None, "kind": None}, "persistence_checks/unknown/no_id"),
        ("persistence_checks", {"suggestion_id": None, "kind": "agent_edit", "opportunity_id": "o"},
         "persistence_checks/agent_edit/no_id"),
    ],
)  # fmt: skip
def test_what_names_no_suggestion(dataset: str, values: dict[str, Any], key: str | None) -> None:
    rows = with_life_ids(batch_of(dataset, [fact(dataset, 1, 0, **values)[1]]))
    assert unjoined.without_id(dataset, rows, 1) == ({(TODAY, key): 1} if key else {})
    assert not unjoined.without_id(dataset, rows, 0), "it was counted when it was published"


def facts_of(*told: tuple[str, int, str]) -> tuple[dict[str, Facts], Lives]:
    """Dataset, life and kind of each fact; each life closes a day after the one before."""
    facts = {}
    for name in FACTS:
        mine = [(life, kind) for dataset, life, kind in told if dataset == name]
        rows = [
            fact(name, n, n, **({} if name == "redactions" else {"kind": kind}))[1] for n, (_, kind) in enumerate(mine)
        ]
        facts[name] = Facts(batch_of(name, rows), np.array([life for life, _ in mine], dtype=np.int64))
    numbers = np.arange(3)
    closed_us = micros_of(NOON) + numbers * DAY_US
    return facts, Lives(NONE, NONE, NONE, numbers, closed_us, closed_us, closed_us, ["horizon"] * 3)


CHECK = "persistence_checks"


def test_checks_alone_are_of_no_suggestion_but_an_agents() -> None:
    told = facts_of(
        (CHECK, 0, "next_edit"), (CHECK, 2, "next_edit"), (CHECK, 2, "next_edit"), ("displays", 0, "next_edit")
    )
    assert unjoined.of_lives(*told) == {(TODAY + 2, f"{CHECK}/next_edit/only_checks"): 2}
    assert not unjoined.of_lives(*facts_of((CHECK, 0, "agent_edit"), (CHECK, 1, "ghost_text"), ("redactions", 1, "")))


def test_ambiguous_checks_count_on_the_day_their_life_closed() -> None:
    _, lives = facts_of()
    assert unjoined.ambiguous(lives, np.array([2, 2, 0])) == {
        (TODAY + 2, f"{CHECK}/next_edit/ambiguous"): 2,
        (TODAY, f"{CHECK}/next_edit/ambiguous"): 1,
    }
