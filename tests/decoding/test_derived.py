"""Derived columns: the ids that join a suggestion's life, its outcome, a rate that is one."""

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import EVENT_DATASETS, load
from transforms.core.decoding.derived import derive

ONE_CHOICE = ("displays", "outcomes", "persistence_checks")


def derived(dataset: str, **values: Any) -> dict[str, Any]:
    """The derived columns of one row; what is not given is null."""
    schema = load(dataset)
    columns = {f.name: pa.nulls(1, f.type) for f in schema.fields if f.sources}
    columns["event_name"] = pa.array(["x"])
    for name, value in values.items():
        columns[name] = pa.array([value], columns[name].type)
    return {name: column.to_pylist()[0] for name, column in derive(schema, columns).items()}


@pytest.mark.parametrize("dataset", EVENT_DATASETS)
@given(
    st.none() | st.text(min_size=1, max_size=4),
    st.none() | st.sampled_from(["r", "r#1"]),
    st.none() | st.integers(0, 20_001),
)
def test_a_suggestion_is_its_completion_else_request_and_choice(
    dataset: str, completion: str | None, request: str | None, choice: int | None
) -> None:
    has_choice = "choice_index" in {f.name for f in load(dataset).fields}
    values = {"suggestion_id": completion, "request_id": request, **({"choice_index": choice} if has_choice else {})}
    number = choice if choice is not None or dataset not in ONE_CHOICE else 0
    is_known = has_choice and request is not None and number is not None
    assert derived(dataset, **values)["suggestion_id"] == (completion or (f"{request}#{number}" if is_known else None))


@pytest.mark.parametrize(
    ("rate", "kept"),
    [(100.0, 100.0), (1e-9, 1e-9), (0.0, None), (-0.0, None), (100.1, None), (-1.0, None), (math.inf, None), (math.nan, None), (None, None)],
)  # fmt: skip
def test_a_sample_rate_is_a_share_in_percent(rate: float | None, kept: float | None) -> None:
    assert derived("displays", sample_rate=rate)["sample_rate"] == kept


@pytest.mark.parametrize(
    ("event_name", "completion_type", "acceptance", "outcome"),
    [
        ("ghostText.accepted", None, None, "accepted"),
        ("ghostText.accepted", "full", "rejected", "accepted"),
        ("ghostText.accepted", "partial", None, "partially_accepted"),
        ("ghostText.rejected", "partial", None, "rejected"),
        ("ghostText.dismissed", None, "accepted", "dismissed"),
        ("provideInlineEdit", None, "accepted", "accepted"),
        ("provideInlineEdit", "partial", "rejected", "rejected"),
        ("provideInlineEdit", None, "notAccepted", "not_accepted"),
        ("provideInlineEdit", None, "notaccepted", None),
        ("provideInlineEdit", None, "zofia", None),
        ("provideInlineEdit", None, None, None),
    ],
)
def test_outcomes(event_name: str, completion_type: str | None, acceptance: str | None, outcome: str | None) -> None:
    values = {"event_name": event_name, "completion_type": completion_type, "outcome": acceptance}
    assert derived("outcomes", **values)["outcome"] == outcome


def test_a_redaction_without_a_category_has_the_contracts_own() -> None:
    assert derived("redactions")["category"] == load("redactions").field("category").otherwise == "unspecified"
    assert derived("redactions", category="hate")["category"] == "hate"
