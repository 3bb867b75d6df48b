"""What became of accepted text: distance and state at each check.

Unchanged is distance 0 and mostly unchanged below 0.33 (Ziegler et al., CACM
67(3), 2024); the client itself counts up to 0.5 as still in the code.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.suggestions.facts import Facts, firsts, in_order, take

CHECKS_S = (15, 30, 120, 300, 600)
MOSTLY_BELOW_RATIO = 0.33
KEPT_TO_RATIO = 0.5


def persistence(checks: Facts, is_full: np.ndarray, accepted_at: np.ndarray, closed_at: np.ndarray) -> pa.Table:
    """The persistence columns of `suggestions.1.avsc`, a row for each life.

    `is_full` tells full from partial acceptances; `accepted_at` is the receive
    time of the acceptance, -1 where there is none. Of several checks at one
    time the latest of the same kind of acceptance counts: a partial acceptance
    starts timers of its own, and a later one covers more of the text.
    """
    count = len(closed_at)
    is_accepted = accepted_at >= 0
    columns: dict[str, pa.Array] = {}
    in_tokens, in_chars = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    usable = _usable(checks)
    for check_s in CHECKS_S:
        found = np.where(is_accepted, _chosen(usable, check_s, is_full), -1)
        distance = take(usable.rows["distance"], found)
        measured, by_tokens = _flags(distance.is_valid()), _flags(take(usable.rows["by_tokens"], found))
        in_tokens |= measured & by_tokens
        in_chars |= measured & ~by_tokens
        ratio, is_gone = distance.fill_null(np.inf).to_numpy(), _flags(take(usable.rows["is_gone"], found))
        is_due = accepted_at + check_s * 1_000_000 <= closed_at
        columns[f"distance_{check_s}s_ratio"] = distance
        columns[f"persistence_{check_s}s"] = _states(ratio, is_gone, found >= 0, is_accepted, is_due)
    method = np.select([in_tokens & in_chars, in_tokens, in_chars], ["both", "tokens", "chars"], "")
    columns["persistence_method"] = pa.array(method, pa.string(), mask=method == "")
    return pa.table(columns)


def _usable(checks: Facts) -> Facts:
    """Checks that tell something, with their distance: in tokens as the client states it or its
    parts do, else in characters. A check whose text is gone tells that without a distance.
    """
    rows = checks.rows
    by_tokens = pc.coalesce(
        rows["relative_edit_distance"], _ratio(rows["lex_edit_distance_tokens"], rows["completion_tokens"])
    )
    distance = pc.coalesce(by_tokens, _ratio(rows["edit_distance_chars"], rows["completion_chars"]))
    is_gone = pc.equal(rows["is_still_in_code"], False).fill_null(False)
    kept = np.flatnonzero(_flags(pc.or_kleene(pc.greater_equal(distance, 0), is_gone)))
    columns = {name: rows[name] for name in ("check_s", "completion_type", "occurred_at", "received_at", "event_id")}
    columns |= {"distance": distance, "by_tokens": by_tokens.is_valid(), "is_gone": is_gone}
    return Facts(pa.RecordBatch.from_pydict(columns).take(pa.array(kept)), checks.life[kept])


def _flags(values: pa.Array) -> np.ndarray:
    """Booleans, null as False."""
    return values.fill_null(False).to_numpy(zero_copy_only=False)


def _ratio(part: pa.Array, whole: pa.Array) -> pa.Array:
    positive = pc.if_else(pc.greater(whole, 0), whole, pa.scalar(None, whole.type))
    return pc.divide(part.cast(pa.float64(), safe=False), positive.cast(pa.float64(), safe=False))


def _chosen(checks: Facts, check_s: int, is_full: np.ndarray) -> np.ndarray:
    """The row of each life's check at this time, -1 where there is none."""
    at = np.flatnonzero(np.asarray(pc.equal(checks.rows["check_s"], check_s).fill_null(False)))
    rows, life = checks.rows.take(pa.array(at)), checks.life[at]
    is_partial = np.asarray(pc.equal(rows["completion_type"], "partial").fill_null(False))
    other_kind = is_partial == is_full[life]
    chosen = firsts(in_order(rows, life, other_kind, latest_first=True), life, len(is_full))
    return np.r_[at, -1][chosen]  # a chosen -1 takes the -1 at the end


def _states(
    ratio: np.ndarray, is_gone: np.ndarray, is_checked: np.ndarray, is_accepted: np.ndarray, is_due: np.ndarray
) -> pa.Array:
    is_kept = is_checked & ~is_gone
    conditions = [~is_accepted, is_kept & (ratio == 0), is_kept & (ratio < MOSTLY_BELOW_RATIO)]
    conditions += [is_kept & (ratio <= KEPT_TO_RATIO), is_checked, is_due]
    words = ["not_applicable", "unchanged", "mostly_unchanged", "changed", "removed", "unobserved"]
    states = np.select(conditions, words, "")
    return pa.array(states, pa.string(), mask=states == "")
