"""Lives and their facts -> rows of the dataset `suggestions`."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import SUGGESTIONS, load
from transforms.core.suggestions.attach import belonging, first_of_each
from transforms.core.suggestions.facts import Facts, firsts, in_order, take
from transforms.core.suggestions.lives import Lives
from transforms.core.suggestions.persistence import persistence
from transforms.core.times import TIMESTAMP

FACTS = ("displays", "outcomes", "persistence_checks", "redactions")
"""Datasets whose rows make and prolong a life; who and where come from the first that has a row."""

REQUEST_FACTS = (
    "is_multiline", "is_cycling", "is_after_accept", "is_speculative", "prompt_chars", "prompt_suffix_chars",
    "prompt_compute_ms", "document_chars", "document_lines",
)  # fmt: skip
_ORDER = ("event_id", "occurred_at", "received_at")
ATTACHED = {
    "requests": (*_ORDER, "event_name", "request_id", "opportunity_id", *REQUEST_FACTS),
    "redactions": (*_ORDER, "suggestion_id", "request_id", "category"),
    "snippets": (*_ORDER, "suggestion_id", "request_id"),
}
"""Rows that tell of a suggestion without prolonging its life, and the columns that are wanted of them."""

_PRECEDENCE = ("accepted", "partially_accepted", "dismissed", "rejected")
_NONE = len(_PRECEDENCE)


def suggestion_rows(
    facts: Mapping[str, Facts], attached: Mapping[str, pa.RecordBatch], lives: Lives, horizon: int
) -> pa.Table:
    """One row a life, in the order of lives, columns as in `suggestions.1.avsc`.

    `facts` are the lives' own rows of all of FACTS; `attached` rows that may
    belong to them, of ATTACHED.
    """
    first = {name: first_of_each(f, len(lives.first)) for name, f in facts.items()}
    columns = _who_and_where(facts, first)
    columns |= _display(facts["displays"], first["displays"])
    columns |= _outcome(facts["outcomes"], columns["displayed_at"], lives, facts["persistence_checks"])
    columns |= _request(attached["requests"], columns, lives, horizon)
    columns |= _redactions(facts["redactions"], attached["redactions"], columns, lives, horizon)
    columns["has_snippet"] = _has_snippet(attached["snippets"], columns, lives, horizon)
    for name, times in (("first_received_at", lives.first), ("last_received_at", lives.last)):
        columns[name] = pa.array(times, TIMESTAMP)
    columns |= {"closed_at": pa.array(lives.closed_at, TIMESTAMP), "closed_by": pa.array(lives.closed_by, pa.string())}
    schema = load(SUGGESTIONS)
    columns["schema_version"] = pa.repeat(pa.scalar(schema.version, pa.int32()), len(lives.first))
    return pa.table([columns[f.name].cast(f.type) for f in schema.fields], schema=schema.arrow)


def _who_and_where(facts: Mapping[str, Facts], first: Mapping[str, np.ndarray]) -> dict[str, pa.Array]:
    """The shared columns, from the first row of the first dataset that has one."""
    shared = load("displays").arrow.names
    names = [n for n in load(SUGGESTIONS).arrow.names if n in shared and n not in _OF_DISPLAY]
    parts, lives = [], []
    without = np.ones(len(first["displays"]), dtype=bool)
    for dataset in FACTS:
        chosen = np.flatnonzero(without & (first[dataset] >= 0))
        without[chosen] = False
        parts.append(facts[dataset].rows.select(names).take(pa.array(first[dataset][chosen])))
        lives.append(chosen)
    back = pa.array(np.argsort(np.concatenate(lives)))
    table = pa.Table.from_batches([p.replace_schema_metadata(None) for p in parts], _plain(parts[0].schema))
    return {name: pa.concat_arrays(table[name].chunks).take(back) for name in names}


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f.name, f.type) for f in schema])


_OF_DISPLAY = ("display_source", "completion_chars", "completion_lines", "mean_logprob")


def _display(displays: Facts, first: np.ndarray) -> dict[str, pa.Array]:
    rows = displays.rows
    latency = pc.coalesce(rows["time_since_issued_ms"], rows["time_to_produce_ms"], rows["fetch_ms"])
    columns = {name: take(rows[name], first) for name in _OF_DISPLAY}
    columns["displayed_at"] = take(rows["occurred_at"], first)
    columns["latency_ms"] = take(latency, first)
    columns["display_count"] = pa.array(np.bincount(displays.life, minlength=len(first)))
    return columns


def _outcome(outcomes: Facts, displayed_at: pa.Array, lives: Lives, checks: Facts) -> dict[str, pa.Array]:
    """The deciding outcome, what was accepted, and what became of it."""
    count, rows = len(lives.first), outcomes.rows
    rank = pc.index_in(rows["outcome"], pa.array(_PRECEDENCE)).fill_null(_NONE).to_numpy()
    first = firsts(in_order(rows, outcomes.life, rank), outcomes.life, count)
    decided = take(pa.array(rank), first).fill_null(_NONE).to_numpy()
    first = np.where(decided < _NONE, first, -1)
    outcome_at = take(rows["occurred_at"], first)
    elapsed_us = pc.subtract(outcome_at.cast(pa.int64()), displayed_at.cast(pa.int64()))
    elapsed = pc.divide(elapsed_us.cast(pa.float64(), safe=False), 1e3)  # clients' clocks: from year 1 to year 9999
    elapsed = pc.if_else(pc.greater_equal(elapsed, 0), elapsed, pa.scalar(None, pa.float64()))
    is_acceptance = rank <= 1
    chars = np.zeros(count, dtype=np.int64)
    counted = is_acceptance & rows["accepted_chars"].is_valid().to_numpy(zero_copy_only=False)
    np.maximum.at(chars, outcomes.life[counted], rows["accepted_chars"].fill_null(0).to_numpy()[counted])
    known = np.bincount(outcomes.life[counted], minlength=count) > 0
    received = take(rows["received_at"], first).cast(pa.int64()).fill_null(-1).to_numpy()
    accepted_at = np.where(decided <= 1, received, -1)
    kept = persistence(checks, decided == 0, accepted_at, lives.closed_at)
    return {
        "outcome": pa.array([*_PRECEDENCE, "none"]).take(pa.array(decided)),
        "outcome_at": outcome_at,
        "decision_ms": pc.coalesce(take(rows["time_since_displayed_ms"], first), elapsed),
        "accept_count": pa.array(np.bincount(outcomes.life[is_acceptance], minlength=count)),
        "accepted_chars": pa.array(chars, mask=~known),
        **dict(zip(kept.column_names, (c.combine_chunks() for c in kept.columns), strict=True)),
    }


def _request(
    requests: pa.RecordBatch, columns: Mapping[str, pa.Array], lives: Lives, horizon: int
) -> dict[str, pa.Array]:
    """Prompt facts of the `ghostText.issued` of its request, else of its opportunity."""
    issued = requests.filter(pc.equal(requests["event_name"], "ghostText.issued"))
    by_key = []
    for key in ("request_id", "opportunity_id"):
        found = belonging(issued, key, columns[key], lives, horizon)
        chosen = first_of_each(found, len(lives.first))
        by_key.append({name: take(found.rows[name], chosen) for name in ("event_id", *REQUEST_FACTS)})
    of_request, of_opportunity = by_key
    has_own = of_request["event_id"].is_valid()
    return {name: pc.if_else(has_own, of_request[name], of_opportunity[name]) for name in REQUEST_FACTS}


def _redactions(
    own: Facts, attached: pa.RecordBatch, columns: Mapping[str, pa.Array], lives: Lives, horizon: int
) -> dict[str, pa.Array]:
    """Those of the completion, and those of its request that name no completion."""
    of_request = belonging(_without_suggestion(attached), "request_id", columns["request_id"], lives, horizon)
    rows = pa.Table.from_batches([own.rows.select(attached.schema.names), of_request.rows], attached.schema)
    rows, life = rows.combine_chunks().to_batches(), np.concatenate([own.life, of_request.life])
    if not rows:
        return {
            "redactions": pa.repeat(0, len(lives.first)),
            "redaction_category": pa.nulls(len(lives.first), pa.string()),
        }
    chosen = first_of_each(Facts(rows[0], life), len(lives.first))
    count = np.bincount(life, minlength=len(lives.first))
    return {"redactions": pa.array(count), "redaction_category": take(rows[0]["category"], chosen)}


def _has_snippet(snippets: pa.RecordBatch, columns: Mapping[str, pa.Array], lives: Lives, horizon: int) -> pa.Array:
    has = np.zeros(len(lives.first), dtype=bool)
    has[belonging(snippets, "suggestion_id", columns["suggestion_id"], lives, horizon).life] = True
    of_request = belonging(_without_suggestion(snippets), "request_id", columns["request_id"], lives, horizon)
    has[of_request.life] = True
    return pa.array(has)


def _without_suggestion(rows: pa.RecordBatch) -> pa.RecordBatch:
    return rows.filter(rows["suggestion_id"].is_null())
