"""Next edits of one opportunity, told apart, against looking at each fact by itself."""

from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.facts import batch_of, fact
from transforms.core.suggestions.facts import Facts
from transforms.core.suggestions.lives import Lives
from transforms.core.suggestions.providers import by_provider
from transforms.core.suggestions.rows import FACTS

NONE = np.array([], dtype=np.int64)
TOLD = st.lists(
    st.tuples(
        st.sampled_from(["displays", "outcomes", "persistence_checks", "redactions"]),
        st.integers(0, 2),
        st.sampled_from("abc"),
        st.sampled_from(["accepted", "rejected", None]),
    ),
    max_size=12,
)
GHOST = 0
"""The number of the life that is no next edit."""


def facts_of(told: list[Any]) -> dict[str, Facts]:
    rows: dict[str, list[tuple[int, dict[str, Any]]]] = {name: [] for name in FACTS}
    for number, (dataset, life, who, outcome) in enumerate(told):
        kind = "ghost_text" if life == GHOST else "next_edit"
        values: dict[str, Any] = {"suggestion_id": "9" if life == GHOST else f"{life}{who}", "kind": kind}
        if dataset == "persistence_checks" and life != GHOST:
            values["suggestion_id"] = None
        if dataset == "redactions":
            values = {"suggestion_id": values["suggestion_id"]}
        if dataset == "outcomes":
            values["outcome"] = outcome
        rows[dataset].append((life, fact(dataset, number, number, **values)[1]))
    return {
        name: Facts(batch_of(name, [row for _, row in found]), np.array([n for n, _ in found], dtype=np.int64))
        for name, found in rows.items()
    }


def lives_of(count: int) -> Lives:
    numbers = np.arange(count)
    return Lives(NONE, NONE, NONE, numbers, numbers, numbers * 10, numbers * 100, [f"by {n}" for n in numbers])


def model(told: list[Any], life: int) -> dict[str | None, set[int]]:
    """Suggestion -> the numbers of its facts; None: checks that go with nobody."""
    mine = [(n, t) for n, t in enumerate(told) if t[1] == life]
    deciding = [t for _, t in mine if t[0] in ("displays", "outcomes")]
    ids = sorted({t[2] for t in deciding}) if life != GHOST else []
    if len(ids) < 2:
        return {ids[0] if ids else "": {n for n, _ in mine}}
    accepted = {t[2] for t in deciding if t[0] == "outcomes" and t[3] == "accepted"}
    owner = accepted.pop() if len(accepted) == 1 else None
    found: dict[str | None, set[int]] = {who: set() for who in ids}
    for number, (dataset, _, who, _) in mine:
        found.setdefault(who if dataset in ("displays", "outcomes") else owner, set()).add(number)
    return found


BOTH_ACCEPTED = [("outcomes", 1, who, "accepted") for who in "ab"]


@given(TOLD)
@example([*BOTH_ACCEPTED, ("persistence_checks", 1, "a", None)])
@example([*BOTH_ACCEPTED[:1], ("displays", 1, "b", None), ("persistence_checks", 1, "a", None)])
def test_each_provider_has_a_life_and_checks_go_with_the_only_or_the_accepted_one(told: list[Any]) -> None:
    facts, lives, ambiguous = by_provider(facts_of(told), lives_of(3))
    expected = [
        (life, sorted(numbers))
        for life in range(3)
        for who, numbers in sorted(model(told, life).items(), key=lambda f: f[0] or "")
        if who is not None
    ]
    found = []
    for number, old in enumerate(lives.suggestion.tolist()):
        ids = [f.rows["event_id"].to_pylist()[n] for f in facts.values() for n in np.flatnonzero(f.life == number)]
        found.append((old, sorted(int(event_id, 16) for event_id in ids)))
    assert found == expected
    assert sorted(ambiguous.tolist()) == [life for life in range(3) for _ in model(told, life).get(None, ())]
    assert lives.closed_at_us.tolist() == [old * 100 for old, _ in expected]
    assert lives.closed_by == [f"by {old}" for old, _ in expected]
