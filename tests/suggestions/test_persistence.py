"""Distance and state of each check, against a model that looks at one life and one check at a time."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.facts import NOON, batch_of, fact
from transforms.core.suggestions.facts import Facts
from transforms.core.suggestions.persistence import CHECKS_S, persistence
from transforms.core.times import micros_of

NOON_US = micros_of(NOON)
SECOND_US = 1_000_000
MEASURES = {
    "relative_edit_distance": st.sampled_from([None, None, -1.0, -0.0, 0.0, 0.33, 0.5, 0.7, 1e300]),
    "lex_edit_distance_tokens": st.sampled_from([None, -1, 0, 2, 2**62]),
    "completion_tokens": st.sampled_from([None, -1, 0, 4, 2**62]),
    "edit_distance_chars": st.sampled_from([None, -1, 0, 33, 50]),
    "completion_chars": st.sampled_from([None, 0, 100]),
    "is_still_in_code": st.sampled_from([None, True, False]),
}
CHECK = st.fixed_dictionaries(
    {
        "life": st.integers(0, 2),
        "check_s": st.sampled_from([15, 30, 31, None]),
        "second": st.integers(0, 3),
        "completion_type": st.sampled_from(["full", "partial", None]),
        **MEASURES,
    }
)
LIFE = st.tuples(st.booleans(), st.sampled_from([-1, NOON_US]), st.sampled_from([0, 15, 29, 30, 700]))


def ratio(check: dict[str, Any], part: str, whole: str) -> float | None:
    if check[part] is None or check[part] < 0 or not check[whole] or check[whole] < 0:
        return None
    return check[part] / check[whole]


def measured(check: dict[str, Any]) -> tuple[float | None, str | None]:
    """The distance of a check and what it was measured in; a negative count measures nothing."""
    told = check["relative_edit_distance"]
    in_tokens = (
        told if told is not None and told >= 0 else ratio(check, "lex_edit_distance_tokens", "completion_tokens")
    )
    if in_tokens is not None:
        return in_tokens, "tokens"
    in_chars = ratio(check, "edit_distance_chars", "completion_chars")
    return in_chars, None if in_chars is None else "chars"


def state(distance: float | None, is_gone: bool) -> str:
    if is_gone or distance is None or distance > 0.5:
        return "removed"
    return "unchanged" if distance == 0 else "mostly_unchanged" if distance < 0.33 else "changed"


def model(life: int, is_full: bool, accepted_us: int, closed_us: int, checks: list[dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    methods = set()
    for check_s in CHECKS_S:
        usable = [(check["completion_type"] == "partial") == is_full for check in checks]
        offered = [
            (is_of_other_kind, -check["second"], number)
            for number, (check, is_of_other_kind) in enumerate(zip(checks, usable, strict=True))
            if check["life"] == life
            and check["check_s"] == check_s
            and (measured(check)[0] is not None or check["is_still_in_code"] is False)
        ]
        distance = None
        if accepted_us < 0:
            found = "not_applicable"
        elif offered:
            check = checks[min(offered)[2]]
            distance, method = measured(check)
            methods.add(method)
            found = state(distance, check["is_still_in_code"] is False)
        else:
            found = "unobserved" if accepted_us + check_s * SECOND_US <= closed_us else None
        row[f"distance_{check_s}s_ratio"], row[f"persistence_{check_s}s"] = distance, found
    methods.discard(None)
    row["persistence_method"] = "both" if len(methods) == 2 else next(iter(methods), None)
    return row


def run(lives: list[Any], checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = [
        fact(
            "persistence_checks",
            number,
            check["second"],
            **{k: v for k, v in check.items() if k not in ("life", "second")},
        )[1]
        for number, check in enumerate(checks)
    ]
    facts = Facts(batch_of("persistence_checks", rows), np.array([c["life"] for c in checks], dtype=np.int64))
    is_full, accepted_us, closed_us = (np.array(column) for column in zip(*lives, strict=True))
    return persistence(facts, is_full, accepted_us, closed_us).to_pylist()


@given(st.lists(LIFE, min_size=3, max_size=3), st.lists(CHECK, max_size=9))
def test_columns_are_those_of_the_model(lives: list[Any], checks: list[dict[str, Any]]) -> None:
    spans = [(is_full, accepted_us, NOON_US + closed_s * SECOND_US) for is_full, accepted_us, closed_s in lives]
    assert run(spans, checks) == [model(number, *span, checks) for number, span in enumerate(spans)]


@pytest.mark.parametrize(("end_us", "expected"), [(-1, None), (0, "unobserved"), (1, "unobserved")])
def test_a_check_is_due_at_the_microsecond(end_us: int, expected: str | None) -> None:
    (row,) = run([(True, NOON_US, NOON_US + 30 * SECOND_US + end_us)], [])
    assert row["persistence_30s"] == expected
    assert (row["persistence_15s"], row["persistence_120s"]) == ("unobserved", None)


def test_no_lives_are_no_rows_of_the_same_columns() -> None:
    none = np.array([], dtype=np.int64)
    made = persistence(Facts(batch_of("persistence_checks", []), none), none.astype(bool), none, none)
    assert made.num_rows == 0
    assert made.schema.field("persistence_600s").type == pa.string()
