"""Columns that are derived from others while the values are still clear."""

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
"""Datasets in which each event is about one choice; where the client does not name it, it is the first one."""


def derive(schema: Schema, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """The columns suggestion_id, sample_rate, outcome and category, as far as the dataset has them.

    They need event_name beside the fields that are read from the wire.
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
    """Null where it is not above 0 and at most 100: a wrong rate costs no event."""
    if rates.null_count == len(rates):
        return rates
    is_share = pc.and_(pc.greater(rates, 0.0), pc.less_equal(rates, 100.0))
    return rates if pc.all(is_share).as_py() else pc.if_else(is_share, rates, pa.scalar(None, rates.type))


def _suggestion_key(schema: Schema, columns: dict[str, pa.Array]) -> pa.Array:
    """The completion id, else request and choice as `<request>#<choice>`, which never looks like a completion id."""
    given = columns["suggestion_id"]
    if not given.null_count or "choice_index" not in columns:
        return given
    choice = columns["choice_index"].cast(pa.string())
    if schema.name in _ONE_CHOICE:
        choice = choice.fill_null("0")
    return pc.coalesce(given, pc.binary_join_element_wise(columns["request_id"], choice, "#"))


def _outcome(columns: dict[str, pa.Array]) -> pa.Array:
    """accepted, partially_accepted, rejected, dismissed or not_accepted; null for any other outcome."""
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
