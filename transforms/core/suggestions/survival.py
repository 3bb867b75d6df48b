"""What became of edits, by the methods that compare texts: four_gram, no_revert, retained_chars.

Lexical distance, which ghost text reports, is of another room (`persistence`): a value of one method says nothing
about one of another.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.suggestions.facts import Facts, firsts, in_order, micros, values_at

SURVIVAL_S = (0, 5, 30, 60, 120, 300, 600, 900)
"""Seconds after an acceptance at which clients report survival."""

_SOMETIMES_S = 60
"""Reported of some edits alone: that no report came says nothing."""

_REPORTING = ("next_edit", "inline_chat", "agent_edit")
"""Kinds whose survival clients report; of others only an editor of one's own does."""

_SECOND_US = 1_000_000


class Lived(NamedTuple):
    """Of each life its kind, when its acceptance was received and when it ended, in microseconds since 1970.

    `accepted_at_us` is -1 where there is no acceptance.
    """

    kind: pa.Array
    accepted_at_us: np.ndarray
    closed_at_us: np.ndarray


class _Reports(NamedTuple):
    """Reports in order: life and time of each, whether it says anything, and the rows."""

    rows: pa.RecordBatch
    life: np.ndarray
    check_s: np.ndarray
    counts: np.ndarray


def survival(own: Facts, attached: Facts, lived: Lived) -> pa.Table:
    """The columns from `edits_checked` on of `suggestions.1.avsc`, a row for each life.

    `own` are checks that are facts of the lives, those by lexical distance among them; `attached` those that name an
    opportunity alone. An agent's edit is there when it is made: it needs no acceptance to be looked at.
    """
    count = len(lived.closed_at_us)
    reports = _in_order(own, attached)
    begin_us = _begins_us(reports, lived)
    told = np.bincount(reports.life, minlength=count) > 0
    reporting = np.asarray(pc.is_in(lived.kind, pa.array(_REPORTING)))
    applies = (begin_us >= 0) & (reporting | told)
    columns: dict[str, pa.Array] = {"edits_checked": _where(applies, _edits(reports, count))}
    original, base = _originals(reports, count)
    columns["original_chars"] = _where(applies, pc.coalesce(original, base))
    for check_s in SURVIVAL_S:
        at = _at(reports, check_s)
        chars, of_original = _retained(at, count)
        measures = {
            "four_gram": _mean(at, _four_gram(at.rows), count),
            "no_revert": _mean(at, at.rows["no_revert_ratio"], count),
            "retained": pc.coalesce(of_original, _over(chars, base)),
        }
        measures = {name: _where(applies, values) for name, values in measures.items()}
        chars = _where(applies, chars)
        is_observed = np.any([np.asarray(v.is_valid()) for v in (*measures.values(), chars)], axis=0)
        is_due = (begin_us + check_s * _SECOND_US <= lived.closed_at_us) & (check_s != _SOMETIMES_S)
        states = np.select([~applies, is_observed, is_due], ["not_applicable", "observed", "unobserved"], "")
        columns[f"survival_{check_s}s"] = pa.array(states, pa.string(), mask=states == "")
        columns |= {f"{name}_{check_s}s_ratio": values for name, values in measures.items()}
        columns[f"retained_{check_s}s_chars"] = chars
    return pa.table(columns)


_NEEDED = ("check_s", "method", "retained_ratio", "no_revert_ratio", "retained_chars", "original_chars",
           "did_branch_change", "occurred_at", "received_at", "event_id")  # fmt: skip


def _in_order(own: Facts, attached: Facts) -> _Reports:
    """All reports of both, sorted by life and as `in_order` does, so that sums are the same whatever came first."""
    columns = {name: pa.concat_arrays([own.rows[name], attached.rows[name]]) for name in _NEEDED}
    rows, life = pa.RecordBatch.from_pydict(columns), np.concatenate([own.life, attached.life]).astype(np.int64)
    is_survival = np.asarray(pc.fill_null(pc.not_equal(rows["method"], "lexical_distance"), False))
    order = in_order(rows, life)
    order = order[is_survival[order]]
    rows = rows.take(pa.array(order))
    check_s = rows["check_s"].fill_null(-1).to_numpy()
    counts = ~np.asarray(rows["did_branch_change"].fill_null(False))
    return _Reports(rows, life[order], check_s, counts)


def _begins_us(reports: _Reports, lived: Lived) -> np.ndarray:
    """From when on the edit was there: its acceptance, of an agent's edit the begin of its earliest check."""
    is_agent = np.asarray(pc.equal(lived.kind, "agent_edit").fill_null(False))
    known = reports.check_s >= 0
    none = np.iinfo(np.int64).max
    begins_us = np.full(len(lived.closed_at_us), none, dtype=np.int64)
    made_us = micros(reports.rows["received_at"])[known] - reports.check_s[known].astype(np.int64) * _SECOND_US
    np.minimum.at(begins_us, reports.life[known], made_us)
    return np.where(is_agent & (begins_us < none), begins_us, lived.accepted_at_us)


def _at(reports: _Reports, check_s: int) -> Facts:
    """The reports after so many seconds that say anything, in order."""
    at = np.flatnonzero((reports.check_s == check_s) & reports.counts)
    return Facts(reports.rows.take(pa.array(at)), reports.life[at])


def _edits(reports: _Reports, count: int) -> pa.Array:
    """The largest number of reports of one method and time; those of which the branch changed count, too."""
    most = np.zeros(count, dtype=np.int64)
    method = reports.rows["method"]
    for name in ("four_gram", "no_revert", "retained_chars"):
        is_method = np.asarray(pc.equal(method, name))
        for check_s in SURVIVAL_S:
            found = reports.life[is_method & (reports.check_s == check_s)]
            most = np.maximum(most, np.bincount(found, minlength=count))
    return pa.array(most, mask=most == 0)


def _four_gram(rows: pa.RecordBatch) -> pa.Array:
    return pc.if_else(pc.equal(rows["method"], "four_gram"), rows["retained_ratio"], None)


def _mean(facts: Facts, values: pa.Array, count: int) -> pa.Array:
    """The mean over each life's edits, added in their order; null where none says it. A ratio below 0 says nothing."""
    known = np.asarray(pc.greater_equal(values, 0).fill_null(False))
    life = facts.life[known]
    number = np.bincount(life, minlength=count)
    total = np.bincount(life, weights=values.to_numpy(zero_copy_only=False)[known], minlength=count)
    return pa.array(total / np.maximum(number, 1), mask=number == 0)


def _retained(at: Facts, count: int) -> tuple[pa.Array, pa.Array]:
    """Retained characters, and their ratio where the report states what it is a part of.

    The editor's own report goes before the extension's, of several the latest: both count the same characters.
    """
    known = np.flatnonzero(np.asarray(pc.greater_equal(at.rows["retained_chars"], 0).fill_null(False)))
    rows, life = at.rows.take(pa.array(known)), at.life[known]
    is_second_hand = np.asarray(pc.not_equal(rows["method"], "retained_chars"))
    chosen = firsts(in_order(rows, life, is_second_hand, latest_first=True), life, count)
    chars = values_at(rows["retained_chars"], chosen)
    return chars, _over(chars, values_at(rows["original_chars"], chosen))


def _originals(reports: _Reports, count: int) -> tuple[pa.Array, pa.Array]:
    """Accepted characters as reports state them, and as the report at 0 s counts them."""
    known = np.flatnonzero(np.asarray(reports.rows["original_chars"].is_valid()))
    stated = firsts(known, reports.life, count)
    return values_at(reports.rows["original_chars"], stated), _retained(_at(reports, 0), count)[0]


def _over(part: pa.Array, whole: pa.Array) -> pa.Array:
    whole = pc.if_else(pc.greater(whole, 0), whole, None)
    return pc.divide(part.cast(pa.float64(), safe=False), whole.cast(pa.float64(), safe=False))


def _where(holds: np.ndarray, values: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(holds), values, None)
