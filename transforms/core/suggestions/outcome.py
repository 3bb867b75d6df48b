"""What a life came to: the deciding outcome, what was accepted, and what became of it."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.suggestions.facts import Facts, firsts, in_order, values_at
from transforms.core.suggestions.life_ids import is_ghost_text
from transforms.core.suggestions.lives import Lives
from transforms.core.suggestions.persistence import persistence
from transforms.core.suggestions.survival import Lived, survival

_PRECEDENCE = ("accepted", "partially_accepted", "dismissed", "rejected")
"""Outcomes of one life, the deciding one first."""

_PARTIALLY, _NONE = _PRECEDENCE.index("partially_accepted"), len(_PRECEDENCE)
"""The rank of having accepted a part, and of having no outcome."""


class Checks(NamedTuple):
    """Checks that are facts of the lives, and those that name an opportunity of theirs."""

    own: Facts
    attached: Facts


def outcome_columns(
    outcomes: Facts, displayed_at: pa.Array, kind: pa.Array, lives: Lives, checks: Checks
) -> dict[str, pa.Array]:
    """The columns of outcome, acceptance and persistence, for each life; `kind` is that of each life."""
    count, rows = len(lives.first_us), outcomes.rows
    # Of a life's outcomes the one of the smallest rank decides, of those of one rank the first.
    rank = pc.index_in(rows["outcome"], pa.array(_PRECEDENCE)).fill_null(_NONE).to_numpy()
    first = firsts(in_order(rows, outcomes.life, rank), outcomes.life, count)
    decided = values_at(pa.array(rank), first).fill_null(_NONE).to_numpy()
    first = np.where(decided < _NONE, first, -1)
    outcome_at = values_at(rows["occurred_at"], first)
    is_acceptance, is_rejection = rank <= _PARTIALLY, (rank > _PARTIALLY) & (rank < _NONE)
    rejected = np.bincount(outcomes.life[is_rejection], minlength=count)
    # Of an agent's edit each file or hunk is decided on: what is accepted and rejected is accepted in part.
    is_agent = np.asarray(pc.equal(kind, "agent_edit").fill_null(False))
    decided = np.where(is_agent & (decided == 0) & (rejected > 0), _PARTIALLY, decided)
    received_us = values_at(rows["received_at"], first).cast(pa.int64()).fill_null(-1).to_numpy()
    accepted_at_us = np.where(decided <= _PARTIALLY, received_us, -1)
    by_distance = np.asarray(is_ghost_text(kind))
    kept = persistence(checks.own, decided == 0, np.where(by_distance, accepted_at_us, -1), lives.closed_at_us)
    survived = survival(*checks, Lived(kind, accepted_at_us, lives.closed_at_us))
    return {
        "outcome": pa.array([*_PRECEDENCE, "none"]).take(pa.array(decided)),
        "outcome_at": outcome_at,
        "decision_ms": pc.coalesce(
            values_at(rows["time_since_displayed_ms"], first),
            # The one report of a next edit tells of its display and its outcome: nothing passed between.
            pc.if_else(pa.array(by_distance), _elapsed_ms(displayed_at, outcome_at), None),
        ),
        "accept_count": pa.array(np.bincount(outcomes.life[is_acceptance], minlength=count)),
        "reject_count": pa.array(rejected),
        "accepted_chars": _accepted_chars(outcomes, is_acceptance, count),
        **{name: table[name].combine_chunks() for table in (kept, survived) for name in table.column_names},
    }


def _elapsed_ms(displayed_at: pa.Array, outcome_at: pa.Array) -> pa.Array:
    elapsed_us = pc.subtract(outcome_at.cast(pa.int64()), displayed_at.cast(pa.int64()))
    # Clients' clocks tell any time from year 1 to year 9999, so a span may be no exact double.
    # An outcome may also stand before its display; then nobody knows how long the decision took.
    elapsed_ms = pc.divide(elapsed_us.cast(pa.float64(), safe=False), 1e3)
    return pc.if_else(pc.greater_equal(elapsed_ms, 0), elapsed_ms, pa.scalar(None, pa.float64()))


def _accepted_chars(outcomes: Facts, is_acceptance: np.ndarray, count: int) -> pa.Array:
    """Each partial acceptance tells how much is accepted by then, so the largest count is the life's."""
    told = outcomes.rows["accepted_chars"]
    counted = is_acceptance & told.is_valid().to_numpy(zero_copy_only=False)
    chars = np.zeros(count, dtype=np.int64)
    np.maximum.at(chars, outcomes.life[counted], told.fill_null(0).to_numpy()[counted])
    return pa.array(chars, mask=np.bincount(outcomes.life[counted], minlength=count) == 0)
