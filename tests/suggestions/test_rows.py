"""Rows of suggestions: each from its own facts alone, against a model that reads them one by one."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.facts import NOON, Fact, batch_of, fact
from transforms.core.suggestions.facts import Facts
from transforms.core.suggestions.lives import Lives
from transforms.core.suggestions.rows import ATTACHED, FACTS, suggestion_rows
from transforms.core.times import micros_of

NOON_US = micros_of(NOON)
HORIZON_US = 600 * 1_000_000
END_US = NOON_US + 1000 * 1_000_000
PRECEDENCE = ["accepted", "partially_accepted", "dismissed", "rejected"]

LIVES = st.integers(0, 2)
SECONDS = st.integers(0, 20)
COMMON = {"life": LIVES, "second": SECONDS}
DISPLAY = st.fixed_dictionaries(
    {**COMMON, "completion_chars": st.sampled_from([None, 5, 9]), "time_since_issued_ms": st.sampled_from([None, 2.5]),
     "time_to_produce_ms": st.sampled_from([None, 7.0]), "language": st.sampled_from([None, "go"])}
)  # fmt: skip
OUTCOME = st.fixed_dictionaries(
    {**COMMON, "outcome": st.sampled_from([*PRECEDENCE, "other", None]), "accepted_chars": st.sampled_from([None, 0, 3, 8]),
     "time_since_displayed_ms": st.sampled_from([None, None, 1.5]), "language": st.sampled_from([None, "c"])}
)  # fmt: skip
REDACTION = st.fixed_dictionaries({**COMMON, "category": st.sampled_from(["violence", "snippy"])})
TOLD = st.fixed_dictionaries(
    {
        "displays": st.lists(DISPLAY, max_size=4),
        "outcomes": st.lists(OUTCOME, max_size=4),
        "redactions": st.lists(REDACTION, max_size=3),
    }
)


def rows_of(told: dict[str, list[dict[str, Any]]]) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """Each dataset's rows with the life of each; every life has a redaction at the end, so that it has a fact."""
    told = {
        **told,
        "redactions": [*told["redactions"], *({"life": n, "second": 900, "category": "last"} for n in range(3))],
    }
    number, rows = 0, {}
    for dataset, each in told.items():
        rows[dataset] = []
        for row in each:
            number += 1
            values = {k: v for k, v in row.items() if k not in ("life", "second")}
            ids = {"suggestion_id": str(row["life"]) * 32, "request_id": None}
            rows[dataset].append((row["life"], fact(dataset, number, row["second"], **ids, **values)[1]))
    return rows


def made(
    rows: dict[str, list[tuple[int, dict[str, Any]]]], lives: int, attached: list[Fact] | None = None
) -> list[dict[str, Any]]:
    if attached is None:
        attached = []
    facts = {
        name: Facts(
            batch_of(name, [row for _, row in rows.get(name, [])]),
            np.array([n for n, _ in rows.get(name, [])], dtype=np.int64),
        )
        for name in FACTS
    }
    others = {
        n: batch_of(n, [row for d, row in attached if d == n]).select(list(columns)) for n, columns in ATTACHED.items()
    }
    none, numbers = np.array([], dtype=np.int64), np.arange(lives)
    first_us, closed_us = np.full(lives, NOON_US), np.full(lives, END_US)
    spans = Lives(none, none, none, numbers, first_us, first_us, closed_us, ["horizon"] * lives)
    return suggestion_rows(facts, spans, others, HORIZON_US).to_pylist()


def model(life: int, rows: dict[str, list[tuple[int, dict[str, Any]]]]) -> dict[str, Any]:
    def mine(dataset: str) -> list[dict[str, Any]]:
        return sorted((row for n, row in rows[dataset] if n == life), key=lambda r: (r["occurred_at"], r["event_id"]))

    displays, outcomes, redactions = mine("displays"), mine("outcomes"), mine("redactions")
    first = displays[0] if displays else {}
    deciding = min(
        (o for o in outcomes if o["outcome"] in PRECEDENCE), key=lambda o: PRECEDENCE.index(o["outcome"]), default={}
    )
    accepted = [o for o in outcomes if o["outcome"] in PRECEDENCE[:2]]
    counts = [o["accepted_chars"] for o in accepted if o["accepted_chars"] is not None]
    took_ms = deciding.get("time_since_displayed_ms")
    if took_ms is None and deciding and displays and deciding["occurred_at"] >= first["occurred_at"]:
        took_ms = (deciding["occurred_at"] - first["occurred_at"]).total_seconds() * 1000
    latencies = [first.get(name) for name in ("time_since_issued_ms", "time_to_produce_ms", "fetch_ms")]
    return {
        "suggestion_id": str(life) * 32,
        "language": next(iter([*displays, *outcomes, *redactions]), {}).get("language"),
        "displayed_at": first.get("occurred_at"),
        "display_count": len(displays),
        "completion_chars": first.get("completion_chars"),
        "latency_ms": next((ms for ms in latencies if ms is not None), None),
        "outcome": deciding.get("outcome", "none"),
        "outcome_at": deciding.get("occurred_at"),
        "decision_ms": took_ms,
        "accept_count": len(accepted),
        "accepted_chars": max(counts, default=None),
        "redactions": len(redactions),
        "redaction_category": redactions[0]["category"],
    }


@given(TOLD)
def test_rows_are_those_of_the_model_in_the_order_of_lives(told: dict[str, list[dict[str, Any]]]) -> None:
    rows = rows_of(told)
    expected = [model(life, rows) for life in range(3)]
    assert [{name: row[name] for name in expected[0]} for row in made(rows, 3)] == expected


@settings(max_examples=40)
@given(TOLD)
def test_a_life_is_made_of_its_own_facts_alone(told: dict[str, list[dict[str, Any]]]) -> None:
    rows = rows_of(told)
    alone = [
        made({d: [(0, row) for n, row in found if n == life] for d, found in rows.items()}, 1)[0] for life in range(3)
    ]
    assert made(rows, 3) == alone


ISSUED = {"event_name": "ghostText.issued", "suggestion_id": None}
OF_REQUEST = fact("requests", 1, -5, **ISSUED, request_id="4" * 32, opportunity_id=None, prompt_chars=1)
OF_OPPORTUNITY = fact(
    "requests", 2, -9, **ISSUED, request_id=None, opportunity_id="7" * 32, prompt_chars=2, document_chars=6
)
OTHER_EVENT = fact(
    "requests", 3, -9, event_name="ghostText.canceled", suggestion_id=None, request_id="4" * 32, prompt_chars=3
)
TOO_EARLY = fact("requests", 4, -601, **ISSUED, request_id="4" * 32, prompt_chars=4)


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([OF_REQUEST, OF_OPPORTUNITY], (1, None)),
        ([OF_OPPORTUNITY], (2, 6)),
        ([OTHER_EVENT, TOO_EARLY], (None, None)),
        ([TOO_EARLY, OF_REQUEST], (1, None)),
        ([], (None, None)),
    ],
    ids=["request", "opportunity", "neither", "in time", "nothing"],
)
def test_prompt_facts_are_of_one_request_and_never_mixed(requests: list[Fact], expected: tuple) -> None:
    display = fact("displays", 9, 0, request_id="4" * 32, opportunity_id="7" * 32)[1]
    (row,) = made({"displays": [(0, display)]}, 1, requests)
    assert (row["prompt_chars"], row["document_chars"]) == expected


@pytest.mark.parametrize(
    ("ids", "has"),
    [({}, True), ({"suggestion_id": None}, True), ({"suggestion_id": "8" * 32}, False), ({"suggestion_id": None, "request_id": None}, False)],
    ids=["its own", "of its request", "of another suggestion of its request", "of nobody"],
)  # fmt: skip
def test_code_and_redactions_are_its_own_or_of_its_request_as_a_whole(ids: dict[str, Any], has: bool) -> None:
    display = fact("displays", 9, 0)[1]
    attached = [fact("snippets", 1, 1, **ids), fact("redactions", 2, 1, category="x", **ids)]
    (row,) = made({"displays": [(0, display)]}, 1, attached)
    assert row["has_snippet"] == has
    assert row["redactions"] == (1 if ids.get("suggestion_id", "5") is None and has else 0), "its own come as facts"


def test_no_lives_are_no_rows_of_the_dataset() -> None:
    assert made({}, 0) == []
