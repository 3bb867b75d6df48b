"""Columns that are derived from others while the values are still clear."""

from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import Schema, load

_OUTCOMES = {
    "ghostText.accepted": "accepted",
    "ghostText.rejected": "rejected",
    "ghostText.dismissed": "dismissed",
}
_DECISIONS = {
    "accepted": "accepted", "rejected": "rejected", "notAccepted": "not_accepted", "saved": "saved",
    "unknown": "unknown", "1": "accepted", "0": "rejected",
}  # fmt: skip
"""What clients say of next edits and of edits of an agent or a chat; 1 and 0 are the measurement `accepted`."""

_ONE_CHOICE = ("displays", "outcomes", "persistence_checks")
"""Datasets in which each event is about one choice; where the client does not name it, it is the first one."""

_GROUPS = {"completions": "ghost_text", "nes": "next_edit"}
"""The groups in which an editor registers providers, and the kind of what these suggest."""

_METHODS, _LEXICAL = ("four_gram", "no_revert", "retained_chars"), "lexical_distance"

_MOST_DELAY_MS = 2**31 * 1000
"""No later check has a number of seconds that fits its column."""

_NO_OPPORTUNITY = "unknown"
"""VS Code sends this word where it does not know the opportunity."""


def derive(schema: Schema, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """The columns kind, suggestion_id, sample_rate, outcome and category, as far as the dataset has them.

    Of persistence_checks also check_s, method, retained_ratio, and opportunity_id without the word for none.

    They need event_name beside the fields that are read from the wire.
    """
    made = {}
    if "kind" in schema.arrow.names:
        made["kind"] = _kind(schema, columns)
    if schema.name == "persistence_checks":
        made |= _check(columns)
    made["suggestion_id"] = _suggestion_key(schema, {**columns, **made})
    if "sample_rate" in columns:
        made["sample_rate"] = _sample_rate(columns["sample_rate"])
    if schema.name == "outcomes":
        made["outcome"] = _outcome(columns)
    if "category" in columns:
        made["category"] = columns["category"].fill_null(schema.field("category").otherwise)
    return made


@cache
def _kinds(dataset: str) -> dict[str, str]:
    """Event name -> the kind of suggestion that such an event of the dataset is about, where its name tells."""
    return {route.name: route.kind for route in load(dataset).events if route.kind is not None}


def _kind(schema: Schema, columns: dict[str, pa.Array]) -> pa.Array:
    """By the event's name; where that does not tell, by the group of the provider."""
    names = columns["event_name"]
    kinds = _kinds(schema.name)
    found = pa.array(list(kinds.values()), pa.string()).take(pc.index_in(names, pa.array(list(kinds))))
    if "provider_group" not in columns:
        return found
    groups = pc.index_in(columns["provider_group"], pa.array(list(_GROUPS)))
    return pc.coalesce(found, pa.array(list(_GROUPS.values())).take(groups))


def _check(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """When a check was made, by what, and how much it found, as each client tells it in its own way.

    An event may hold several measures. The first one of _METHODS is the method; the others stand in their own columns.
    """
    delay_ms = columns["time_delay_ms"]
    is_time = pc.and_(pc.greater_equal(delay_ms, 0), pc.less(delay_ms, _MOST_DELAY_MS))
    delay_s = pc.round(pc.divide(pc.if_else(is_time, delay_ms, None), 1000)).cast(pa.int32())
    original = columns["original_chars"]
    of_chars = pc.divide(
        columns["retained_chars"].cast(pa.float64(), safe=False),
        pc.if_else(pc.greater(original, 0), original, None).cast(pa.float64(), safe=False),
    )
    told = (columns["retained_ratio"], columns["no_revert_ratio"], columns["retained_chars"])
    is_told = pc.make_struct(*(values.is_valid() for values in told))
    opportunity = columns["opportunity_id"]
    return {
        "check_s": pc.coalesce(columns["check_s"], delay_s),
        "method": pc.case_when(is_told, *_METHODS, _LEXICAL),
        "retained_ratio": pc.coalesce(told[0], told[1], of_chars),
        "opportunity_id": pc.if_else(pc.equal(opportunity, _NO_OPPORTUNITY), None, opportunity),
    }


def _sample_rate(rates: pa.Array) -> pa.Array:
    """Null where it is not above 0 and at most 100: a wrong rate costs no event."""
    if rates.null_count == len(rates):
        return rates
    is_share = pc.and_(pc.greater(rates, 0.0), pc.less_equal(rates, 100.0))
    return rates if pc.all(is_share).as_py() else pc.if_else(is_share, rates, pa.scalar(None, rates.type))


def _suggestion_key(schema: Schema, columns: dict[str, pa.Array]) -> pa.Array:
    """What a suggestion is known by, in a form that never looks like a completion id.

    The completion id, else request and choice as `<request>#<choice>`. A next edit: `<opportunity>#<provider>`, and
    nothing on its checks, which name no provider. Inline chat and an agent's edit: `<request>#<kind>`.
    """
    given = columns["suggestion_id"]
    if not given.null_count or "choice_index" not in columns:
        return given
    choice = columns["choice_index"].cast(pa.string())
    if schema.name in _ONE_CHOICE:
        choice = choice.fill_null("0")
    request = columns["request_id"]
    of_choice = pc.binary_join_element_wise(request, choice, "#")
    kind = columns.get("kind")
    if kind is None or _all_are(kind, "ghost_text"):
        return pc.coalesce(given, of_choice)
    opportunity = columns["opportunity_id"]
    is_of_opportunity = pc.and_(pc.equal(kind, "next_edit"), opportunity.is_valid()).fill_null(False)
    is_of_request = pc.is_in(kind, pa.array(["inline_chat", "agent_edit"]))
    of_opportunity = pa.nulls(len(kind), pa.string())
    if schema.name != "persistence_checks":
        of_opportunity = pc.binary_join_element_wise(opportunity, columns["provider"].fill_null(""), "#")
    of_kind = pc.if_else(is_of_request, pc.binary_join_element_wise(request, kind, "#"), of_choice)
    return pc.coalesce(given, pc.if_else(is_of_opportunity, of_opportunity, of_kind))


def _all_are(words: pa.Array, word: str) -> bool:
    return not words.null_count and bool(pc.all(pc.equal(words, word)).as_py())


def _outcome(columns: dict[str, pa.Array]) -> pa.Array:
    """One of the words of the contract; null for any other outcome."""
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
    return _OUTCOMES.get(event_name) or _DECISIONS.get(acceptance or "")
