"""Lives and their facts -> rows of the dataset `suggestions`."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import SUGGESTIONS, load
from transforms.core.suggestions.attach import belonging, first_of_each
from transforms.core.suggestions.endings import ENDING_FACTS, Opportunities, ending_columns
from transforms.core.suggestions.facts import Facts, values_at
from transforms.core.suggestions.life_ids import is_ghost_text
from transforms.core.suggestions.lives import Lives
from transforms.core.suggestions.outcome import Checks, outcome_columns
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
    "endings": (*_ORDER, "event_name", "opportunity_id", "kind", *ENDING_FACTS, "is_shown", "time_until_shown_ms",
                "shown_ms"),
    "persistence_checks": (*_ORDER, "kind", "suggestion_id", "opportunity_id", "check_s", "method", "retained_ratio",
                           "no_revert_ratio", "retained_chars", "original_chars", "did_branch_change"),
}  # fmt: skip
"""Datasets whose rows tell something of a suggestion without prolonging its life, and the columns that are needed."""


def attachable(dataset: str, rows: pa.RecordBatch) -> pa.RecordBatch:
    """Those of a dataset's rows of ATTACHED that are attached to lives, as far as other rows of it are facts of them.

    A check is attached if it names an opportunity and not what was accepted there.
    """
    if dataset != "persistence_checks":
        return rows
    is_of_nobody = pc.and_(rows["kind"].is_null(), rows["suggestion_id"].is_null())
    return rows.filter(pc.and_(is_of_nobody, rows["opportunity_id"].is_valid()))


def suggestion_rows(
    facts: Mapping[str, Facts], lives: Lives, attached: Mapping[str, pa.RecordBatch], horizon_us: int
) -> pa.Table:
    """One row for each life, in the order of `lives`, with the columns of `suggestions.1.avsc`.

    `facts` has the lives' own rows of every dataset of FACTS, `attached` rows of every
    dataset of ATTACHED that may belong to a life. A request is looked for from `horizon_us`,
    in microseconds, before the first fact on.
    """
    first = {name: first_of_each(f, len(lives.first_us)) for name, f in facts.items()}
    columns = _who_and_where(facts, first)
    columns |= _what(facts, first)
    columns |= _display(facts["displays"], first["displays"])
    of = Opportunities(facts)
    checks = Checks(facts["persistence_checks"], of.belonging(attached["persistence_checks"], lives, horizon_us))
    columns |= outcome_columns(facts["outcomes"], columns["displayed_at"], columns["kind"], lives, checks)
    columns |= ending_columns(facts["outcomes"], columns["kind"], attached["endings"], of, lives, horizon_us)
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
    names = [n for n in load(SUGGESTIONS).arrow.names if n in shared and n not in (*_OF_DISPLAY, *_OF_KIND)]
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


_OF_KIND = ("kind", "provider", "is_from_cache", "edits_suggested")


def _what(facts: Mapping[str, Facts], first: Mapping[str, np.ndarray]) -> dict[str, pa.Array]:
    """What was suggested, by the first row of the first dataset that tells; redactions are of ghost text."""
    told = ("displays", "outcomes", "persistence_checks")
    kind, provider = (
        pc.coalesce(*(values_at(facts[name].rows[column], first[name]) for name in told))
        for column in ("kind", "provider")
    )
    is_redaction_alone = np.all([first[name] < 0 for name in told], axis=0)
    outcomes, decided = facts["outcomes"].rows, first["outcomes"]
    return {
        "kind": pc.if_else(pa.array(is_redaction_alone), "ghost_text", kind),
        "provider": provider,
        **{name: values_at(outcomes[name], decided) for name in ("is_from_cache", "edits_suggested")},
    }


_OF_DISPLAY = ("display_source", "completion_chars", "completion_lines", "mean_logprob")


def _display(displays: Facts, first: np.ndarray) -> dict[str, pa.Array]:
    rows = displays.rows
    latency_ms = pc.coalesce(rows["time_since_issued_ms"], rows["time_to_produce_ms"], rows["fetch_ms"])
    columns = {name: values_at(rows[name], first) for name in _OF_DISPLAY}
    columns["displayed_at"] = values_at(rows["occurred_at"], first)
    columns["latency_ms"] = values_at(latency_ms, first)
    columns["display_count"] = pa.array(np.bincount(displays.life, minlength=len(first)))
    return columns


def _request(
    requests: pa.RecordBatch, columns: Mapping[str, pa.Array], lives: Lives, horizon_us: int
) -> dict[str, pa.Array]:
    """Facts of the prompt, from the first `ghostText.issued` of the suggestion's request, else of its opportunity."""
    issued = requests.filter(pc.equal(requests["event_name"], "ghostText.issued"))
    # An editor asks for next edits at the same opportunity: the prompt of the ghost text is none of theirs.
    by_key = []
    for key in ("request_id", "opportunity_id"):
        keys = pc.if_else(is_ghost_text(columns["kind"]), columns[key], None)
        found = belonging(issued, key, keys, lives, horizon_us)
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
