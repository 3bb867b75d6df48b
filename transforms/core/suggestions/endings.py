"""What a second report of an opportunity's end adds to the suggestion: never a display, an outcome or a life."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.suggestions.attach import belonging, first_of_each
from transforms.core.suggestions.facts import Facts, firsts, in_order, values_at
from transforms.core.suggestions.lives import Lives

ENDING_FACTS = ("disposal_reason", "superseded_by", "is_typed_over", "not_shown_reason")
"""Columns that the extension's own report of the end tells, of a next edit its outcome."""

_TWIN = "provideInlineEdit"


class Opportunities:
    """The opportunities that each life's displays and outcomes name; a completion is shown under several."""

    def __init__(self, facts: Mapping[str, Facts]) -> None:
        named = [facts[name] for name in ("displays", "outcomes")]
        ids = pa.concat_arrays([rows["opportunity_id"] for rows, _ in named]).dictionary_encode()
        codes = ids.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        life = np.concatenate([life for _, life in named])
        pairs = np.unique(np.stack([life[codes >= 0], codes[codes >= 0]]), axis=1).astype(np.int64)
        self._life, self._keys = pairs[0], ids.dictionary.take(pa.array(pairs[1]))

    def belonging(self, rows: pa.RecordBatch, lives: Lives, horizon_us: int) -> Facts:
        """The rows that name an opportunity of a life and were received in its time."""
        return belonging(rows, "opportunity_id", self._keys, lives, horizon_us, self._life)


def ending_columns(
    outcomes: Facts, kind: pa.Array, endings: pa.RecordBatch, of: Opportunities, lives: Lives, horizon_us: int
) -> dict[str, pa.Array]:
    """The columns of ENDING_FACTS, time_until_shown_ms and shown_ms, for each life.

    `kind` is that of each life: a report of another kind's end is none of its. Of the extension's reports the last
    one counts as a whole: what an earlier one says was not the end.
    """
    count = len(lives.first_us)
    found = of.belonging(endings, lives, horizon_us)
    fits = pc.equal(found.rows["kind"], kind.take(pa.array(found.life))).fill_null(True)
    found = _only(found, np.asarray(fits))
    own = first_of_each(outcomes, count)
    twins = _only(found, np.asarray(pc.equal(found.rows["event_name"], _TWIN)))
    editors = _only(found, np.asarray(pc.not_equal(found.rows["event_name"], _TWIN)))
    last = firsts(in_order(twins.rows, twins.life, latest_first=True), twins.life, count)
    columns = {
        name: pc.coalesce(values_at(outcomes.rows[name], own), values_at(twins.rows[name], last))
        for name in ENDING_FACTS
    }
    last = firsts(in_order(editors.rows, editors.life, latest_first=True), editors.life, count)
    reason = values_at(editors.rows["not_shown_reason"], last)
    columns["not_shown_reason"] = pc.coalesce(columns["not_shown_reason"], reason)
    shown = _only(editors, np.asarray(pc.equal(editors.rows["is_shown"], True).fill_null(False)))
    columns["time_until_shown_ms"] = values_at(shown.rows["time_until_shown_ms"], first_of_each(shown, count))
    columns["shown_ms"] = _sum(shown, "shown_ms", count)
    return columns


def _only(facts: Facts, kept: np.ndarray) -> Facts:
    return facts if kept.all() else Facts(facts.rows.filter(pa.array(kept)), facts.life[kept])


def _sum(facts: Facts, name: str, count: int) -> pa.Array:
    """The sum over each life's rows, added in their order so that it is the same each time; null where none tells."""
    known = _only(facts, np.asarray(facts.rows[name].is_valid()))
    order = in_order(known.rows, known.life)
    values = known.rows[name].to_numpy(zero_copy_only=False)[order]
    total = np.bincount(known.life[order], weights=values, minlength=count)
    return pa.array(total, mask=np.bincount(known.life, minlength=count) == 0)
