"""Lives and their facts -> rows of the dataset `suggestions`."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import SUGGESTIONS, load
from transforms.core.suggestions.attach import belonging, first_of_each
from transforms.core.suggestions.facts import Facts, firsts, in_order, values_at
from transforms.core.suggestions.lives import Lives
from transforms.core.suggestions.persistence import persistence
from transforms.core.times import TIMESTAMP

FACTS = ("displays", "outcomes", "persistence_checks", "redactions")
"""Datasets whose rows begin and prolong a life. Who and where come from the first of them that has a row."""

REQUEST_FACTS = (
    "is_multiline", "is_cycling", "is_after_accept", "is_speculative", "prompt_chars", "prompt_suffix_chars",
    "prompt_compute_ms", "document_chars", "document_lines",
)  # fmt: skip
"""Columns that a suggestion takes over from the request that it came of."""

_ORDER = ("event_id", "occurred_at", "received_at")
"""Columns by which rows are put in order."""

ATTACHED = {
    "requests": (*_ORDER, "event_name", "request_id", "opportunity_id", *REQUEST_FACTS),
    "redactions": (*_ORDER, "suggestion_id", "request_id", "category"),
    "snippets": (*_ORDER, "suggestion_id", "request_id"),
}
"""Datasets whose rows tell something of a suggestion without prolonging its life, and the columns that are needed."""

_PRECEDENCE = ("accepted", "partially_accepted", "dismissed", "rejected")
"""Outcomes of one life, the deciding one first."""

_NONE = len(_PRECEDENCE)
"""The rank of having no outcome."""


def suggestion_rows(
    facts: Mapping[str, Facts], attached: Mapping[str, pa.RecordBatch], lives: Lives, horizon_us: int
) -> pa.Table:
    """One row for each life, in the order of `lives`, with the columns of `suggestions.1.avsc`.

    `facts` has the lives' own rows of every dataset of FACTS, `attached` rows of every
    dataset of ATTACHED that may belong to a life. A request is looked for from `horizon_us`,
    in microseconds, before the first fact on.
    """
    first = {name: first_of_each(f, len(lives.first_us)) for name, f in facts.items()}
    columns = _who_and_where(facts, first)
    columns |= _display(facts["displays"], first["displays"])
    columns |= _outcome(facts["outcomes"], columns["displayed_at"], lives, facts["persistence_checks"])
    columns |= _request(attached["requests"], columns, lives, horizon_us)
    columns |= _redactions(facts["redactions"], attached["redactions"], columns, lives, horizon_us)
    columns["has_snippet"] = _has_snippet(attached["snippets"], columns, lives, horizon_us)
    for name, times_us in (("first_received_at", lives.first_us), ("last_received_at", lives.last_us)):
        columns[name] = pa.array(times_us, TIMESTAMP)
    columns |= {
        "closed_at": pa.array(lives.closed_at_us, TIMESTAMP),
        "closed_by": pa.array(lives.closed_by, pa.string()),
    }
    schema = load(SUGGESTIONS)
    columns["schema_version"] = pa.repeat(pa.scalar(schema.version, pa.int32()), len(lives.first_us))
    return pa.table([columns[f.name].cast(f.type) for f in schema.fields], schema=schema.arrow)


def _who_and_where(facts: Mapping[str, Facts], first: Mapping[str, np.ndarray]) -> dict[str, pa.Array]:
    """The shared columns, from the first row of the first dataset that has one."""
    shared = load("displays").arrow.names
    names = [n for n in load(SUGGESTIONS).arrow.names if n in shared and n not in _OF_DISPLAY]
    parts, lives = [], []
    # Each life is given by one dataset; the rows then stand by dataset and are brought back into the lives' order.
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
    """Without metadata and with all fields nullable: in that the datasets' schemas differ."""
    return pa.schema([pa.field(f.name, f.type) for f in schema])


_OF_DISPLAY = ("display_source", "completion_chars", "completion_lines", "mean_logprob")


def _display(displays: Facts, first: np.ndarray) -> dict[str, pa.Array]:
    rows = displays.rows
    latency_ms = pc.coalesce(rows["time_since_issued_ms"], rows["time_to_produce_ms"], rows["fetch_ms"])
    columns = {name: values_at(rows[name], first) for name in _OF_DISPLAY}
    columns["displayed_at"] = values_at(rows["occurred_at"], first)
    columns["latency_ms"] = values_at(latency_ms, first)
    columns["display_count"] = pa.array(np.bincount(displays.life, minlength=len(first)))
    return columns


def _outcome(outcomes: Facts, displayed_at: pa.Array, lives: Lives, checks: Facts) -> dict[str, pa.Array]:
    """The deciding outcome, what was accepted, and what became of it."""
    count, rows = len(lives.first_us), outcomes.rows
    # Of a life's outcomes the one of the smallest rank decides, of those of one rank the first.
    rank = pc.index_in(rows["outcome"], pa.array(_PRECEDENCE)).fill_null(_NONE).to_numpy()
    first = firsts(in_order(rows, outcomes.life, rank), outcomes.life, count)
    decided = values_at(pa.array(rank), first).fill_null(_NONE).to_numpy()
    first = np.where(decided < _NONE, first, -1)
    outcome_at = values_at(rows["occurred_at"], first)
    elapsed_us = pc.subtract(outcome_at.cast(pa.int64()), displayed_at.cast(pa.int64()))
    # Clients' clocks tell any time from year 1 to year 9999, so a span may be no exact double.
    # An outcome may also stand before its display; then nobody knows how long the decision took.
    elapsed_ms = pc.divide(elapsed_us.cast(pa.float64(), safe=False), 1e3)
    elapsed_ms = pc.if_else(pc.greater_equal(elapsed_ms, 0), elapsed_ms, pa.scalar(None, pa.float64()))
    # Each partial acceptance tells how much is accepted by then, so the largest count is the life's.
    is_acceptance = rank <= 1
    chars = np.zeros(count, dtype=np.int64)
    counted = is_acceptance & rows["accepted_chars"].is_valid().to_numpy(zero_copy_only=False)
    np.maximum.at(chars, outcomes.life[counted], rows["accepted_chars"].fill_null(0).to_numpy()[counted])
    known = np.bincount(outcomes.life[counted], minlength=count) > 0
    received_us = values_at(rows["received_at"], first).cast(pa.int64()).fill_null(-1).to_numpy()
    accepted_at_us = np.where(decided <= 1, received_us, -1)
    kept = persistence(checks, decided == 0, accepted_at_us, lives.closed_at_us)
    return {
        "outcome": pa.array([*_PRECEDENCE, "none"]).take(pa.array(decided)),
        "outcome_at": outcome_at,
        "decision_ms": pc.coalesce(values_at(rows["time_since_displayed_ms"], first), elapsed_ms),
        "accept_count": pa.array(np.bincount(outcomes.life[is_acceptance], minlength=count)),
        "accepted_chars": pa.array(chars, mask=~known),
        **dict(zip(kept.column_names, (c.combine_chunks() for c in kept.columns), strict=True)),
    }


def _request(
    requests: pa.RecordBatch, columns: Mapping[str, pa.Array], lives: Lives, horizon_us: int
) -> dict[str, pa.Array]:
    """Facts of the prompt, from the first `ghostText.issued` of the suggestion's request, else of its opportunity."""
    issued = requests.filter(pc.equal(requests["event_name"], "ghostText.issued"))
    by_key = []
    for key in ("request_id", "opportunity_id"):
        found = belonging(issued, key, columns[key], lives, horizon_us)
        chosen = first_of_each(found, len(lives.first_us))
        by_key.append({name: values_at(found.rows[name], chosen) for name in ("event_id", *REQUEST_FACTS)})
    of_request, of_opportunity = by_key
    # A request has an event_id always, so that tells whether one was found; its facts may each be null.
    has_own = of_request["event_id"].is_valid()
    return {name: pc.if_else(has_own, of_request[name], of_opportunity[name]) for name in REQUEST_FACTS}


def _redactions(
    own: Facts, attached: pa.RecordBatch, columns: Mapping[str, pa.Array], lives: Lives, horizon_us: int
) -> dict[str, pa.Array]:
    """How many redactions name the suggestion, or its request and no suggestion; and the first one's category."""
    of_request = belonging(_without_suggestion(attached), "request_id", columns["request_id"], lives, horizon_us)
    rows = pa.Table.from_batches([own.rows.select(attached.schema.names), of_request.rows], attached.schema)
    rows, life = rows.combine_chunks().to_batches(), np.concatenate([own.life, of_request.life])
    # An empty table has no batches at all.
    if not rows:
        return {
            "redactions": pa.repeat(0, len(lives.first_us)),
            "redaction_category": pa.nulls(len(lives.first_us), pa.string()),
        }
    chosen = first_of_each(Facts(rows[0], life), len(lives.first_us))
    count = np.bincount(life, minlength=len(lives.first_us))
    return {"redactions": pa.array(count), "redaction_category": values_at(rows[0]["category"], chosen)}


def _has_snippet(snippets: pa.RecordBatch, columns: Mapping[str, pa.Array], lives: Lives, horizon_us: int) -> pa.Array:
    """Whether code was kept that names the suggestion, or its request and no suggestion."""
    has = np.zeros(len(lives.first_us), dtype=bool)
    has[belonging(snippets, "suggestion_id", columns["suggestion_id"], lives, horizon_us).life] = True
    of_request = belonging(_without_suggestion(snippets), "request_id", columns["request_id"], lives, horizon_us)
    has[of_request.life] = True
    return pa.array(has)


def _without_suggestion(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Rows that belong to a request as a whole."""
    return rows.filter(rows["suggestion_id"].is_null())
