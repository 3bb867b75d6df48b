"""Columns that follow from others while the values are still clear."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import Schema

_OUTCOMES = {
    "ghostText.accepted": "accepted",
    "ghostText.rejected": "rejected",
    "ghostText.dismissed": "dismissed",
}
_NEXT_EDIT = {"accepted": "accepted", "rejected": "rejected", "notAccepted": "not_accepted"}
_ONE_CHOICE = ("displays", "outcomes", "persistence_checks")
"""Datasets whose every event is about one choice; where the client names none, it is the first."""


def derive(schema: Schema, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """suggestion_id where the client sends no completion id, category, outcome, and a sample rate that is one.

    Needs event_name beside the fields that are read from the wire.
    """
    made = {"suggestion_id": _suggestion_key(schema, columns)}
    if "sample_rate" in columns:
        made["sample_rate"] = _sample_rate(columns["sample_rate"])
    if schema.name == "outcomes":
        made["outcome"] = _outcome(columns)
    if "category" in columns:
        made["category"] = columns["category"].fill_null(schema.field("category").otherwise)
    return made


def _sample_rate(rates: pa.Array) -> pa.Array:
    """Null where it is no share: what a client says of its sampling costs no event."""
    if rates.null_count == len(rates):
        return rates
    is_share = pc.and_(pc.greater(rates, 0.0), pc.less_equal(rates, 100.0))
    return rates if pc.all(is_share).as_py() else pc.if_else(is_share, rates, pa.scalar(None, rates.type))


def _suggestion_key(schema: Schema, columns: dict[str, pa.Array]) -> pa.Array:
    """The completion id, else request and choice: `<request>#<choice>`; the two never look alike."""
    given = columns["suggestion_id"]
    if not given.null_count or "choice_index" not in columns:
        return given
    choice = columns["choice_index"].cast(pa.string())
    if schema.name in _ONE_CHOICE:
        choice = choice.fill_null("0")
    return pc.coalesce(given, pc.binary_join_element_wise(columns["request_id"], choice, "#"))


def _outcome(columns: dict[str, pa.Array]) -> pa.Array:
    """accepted, partially_accepted, rejected, dismissed, not_accepted; null where it is none of them."""
    rows = zip(
        columns["event_name"].to_pylist(),
        columns["completion_type"].to_pylist(),
        columns["outcome"].to_pylist(),
        strict=True,
    )
    return pa.array([_one_outcome(*row) for row in rows], pa.string())


def _one_outcome(event_name: str, completion_type: str | None, acceptance: str | None) -> str | None:
    if event_name == "ghostText.accepted" and completion_type == "partial":
        return "partially_accepted"
    return _OUTCOMES.get(event_name) or _NEXT_EDIT.get(acceptance or "")
