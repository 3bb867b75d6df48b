"""What became of accepted ghost text: lexical distance and state at each check. Other methods: see `survival`.

Unchanged is distance 0 and mostly unchanged below 0.33 (Ziegler et al., CACM
67(3), 2024); the client itself counts up to 0.5 as still in the code.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.suggestions.facts import Facts, firsts, in_order, values_at

CHECKS_S = (15, 30, 120, 300, 600)
"""Seconds after an acceptance at which clients look at the text again."""

MOSTLY_BELOW_RATIO = 0.33
"""Distance from which on a text is no longer mostly unchanged."""

KEPT_TO_RATIO = 0.5
"""Largest distance at which a text is changed and not removed."""


def persistence(checks: Facts, is_full: np.ndarray, accepted_at_us: np.ndarray, closed_at_us: np.ndarray) -> pa.Table:
    """The persistence columns of `suggestions.1.avsc`, a row for each life.

    For each life: `is_full` says whether it was accepted in full or in part,
    `accepted_at_us` when the acceptance was received, -1 where there is none, and
    `closed_at_us` when the life ended; both in microseconds since 1970. Of several
    checks for one time the latest of the same kind of acceptance counts: a partial
    acceptance starts timers of its own, and a later one covers more of the text.
    """
    count = len(closed_at_us)
    is_accepted = accepted_at_us >= 0
    columns: dict[str, pa.Array] = {}
    in_tokens, in_chars = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    usable = _usable(checks)
    for check_s in CHECKS_S:
        found = np.where(is_accepted, _chosen(usable, check_s, is_full), -1)
        distance = values_at(usable.rows["distance"], found)
        measured, by_tokens = _flags(distance.is_valid()), _flags(values_at(usable.rows["by_tokens"], found))
        in_tokens |= measured & by_tokens
        in_chars |= measured & ~by_tokens
        # Without a distance infinity stands for it: it lies in none of the ranges, so the other facts decide.
        ratio, is_gone = distance.fill_null(np.inf).to_numpy(), _flags(values_at(usable.rows["is_gone"], found))
        # A life that ended before the check says nothing about it: null, which is not the same as unobserved.
        is_due = accepted_at_us + check_s * 1_000_000 <= closed_at_us
        columns[f"distance_{check_s}s_ratio"] = distance
        columns[f"persistence_{check_s}s"] = _states(ratio, is_gone, found >= 0, is_accepted, is_due)
    method = np.select([in_tokens & in_chars, in_tokens, in_chars], ["both", "tokens", "chars"], "")
    columns["persistence_method"] = pa.array(method, pa.string(), mask=method == "")
    return pa.table(columns)


def _usable(checks: Facts) -> Facts:
    """The checks by lexical distance that tell something, with their distance as a ratio.

    It is measured in tokens, as the client states it or as two of its counts
    give it, else in characters. A check whose text is gone counts without a
    distance, too.
    """
    rows = checks.rows
    by_tokens = pc.coalesce(
        _measured(rows["relative_edit_distance"]), _ratio(rows["lex_edit_distance_tokens"], rows["completion_tokens"])
    )
    distance = pc.coalesce(by_tokens, _ratio(rows["edit_distance_chars"], rows["completion_chars"]))
    is_gone = pc.equal(rows["is_still_in_code"], False).fill_null(False)
    by_distance = pc.is_in(rows["method"], pa.array(["lexical_distance", None], pa.string()))
    kept = np.flatnonzero(_flags(pc.and_(by_distance, pc.or_(distance.is_valid(), is_gone))))
    columns = {name: rows[name] for name in ("check_s", "completion_type", "occurred_at", "received_at", "event_id")}
    columns |= {"distance": distance, "by_tokens": by_tokens.is_valid(), "is_gone": is_gone}
    return Facts(pa.RecordBatch.from_pydict(columns).take(pa.array(kept)), checks.life[kept])


def _flags(values: pa.Array) -> np.ndarray:
    """Booleans, null as False."""
    return values.fill_null(False).to_numpy(zero_copy_only=False)


def _measured(values: pa.Array) -> pa.Array:
    """The values as doubles; null where a client sent a negative one, which measures nothing."""
    return pc.if_else(pc.greater_equal(values, 0), values.cast(pa.float64(), safe=False), pa.scalar(None, pa.float64()))


def _ratio(part: pa.Array, whole: pa.Array) -> pa.Array:
    """The part over the whole; null where the whole is zero or either is negative or null."""
    positive = pc.if_else(pc.greater(whole, 0), whole, pa.scalar(None, whole.type))
    return pc.divide(_measured(part), positive.cast(pa.float64(), safe=False))


def _chosen(checks: Facts, check_s: int, is_full: np.ndarray) -> np.ndarray:
    """For each life the row of its check after `check_s` seconds; -1 where there is none."""
    at = np.flatnonzero(np.asarray(pc.equal(checks.rows["check_s"], check_s).fill_null(False)))
    rows, life = checks.rows.take(pa.array(at)), checks.life[at]
    is_partial = np.asarray(pc.equal(rows["completion_type"], "partial").fill_null(False))
    # False sorts first: checks of the acceptance's own kind come before those of the other kind.
    is_of_other_kind = is_partial == is_full[life]
    chosen = firsts(in_order(rows, life, is_of_other_kind, latest_first=True), life, len(is_full))
    # Row numbers among these checks become row numbers among all; -1 finds the -1 that was put at the end.
    return np.r_[at, -1][chosen]


def _states(
    ratio: np.ndarray, is_gone: np.ndarray, is_checked: np.ndarray, is_accepted: np.ndarray, is_due: np.ndarray
) -> pa.Array:
    """The state of each life at one check; of the conditions the first that holds decides, null where none does."""
    is_kept = is_checked & ~is_gone
    conditions = [~is_accepted, is_kept & (ratio == 0), is_kept & (ratio < MOSTLY_BELOW_RATIO)]
    conditions += [is_kept & (ratio <= KEPT_TO_RATIO), is_checked, is_due]
    words = ["not_applicable", "unchanged", "mostly_unchanged", "changed", "removed", "unobserved"]
    states = np.select(conditions, words, "")
    return pa.array(states, pa.string(), mask=states == "")
