"""A bucket's curated rows, and what earlier runs left open -> its suggestions that are over."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Protocol

import numpy as np
import pyarrow as pa

from schemas.registry import SUGGESTIONS
from transforms.core.curating.curate import CuratedBucket
from transforms.core.curating.gather import Gathered, Material, gather, life_spans
from transforms.core.output.books import Books
from transforms.core.recent.open_facts import OpenFacts
from transforms.core.recent.recent import Recent
from transforms.core.suggestions import unjoined
from transforms.core.suggestions.facts import Facts, micros
from transforms.core.suggestions.life_ids import LIFE_ID
from transforms.core.suggestions.lives import ClosingRule, Lives, find_lives
from transforms.core.suggestions.providers import by_provider
from transforms.core.suggestions.rows import suggestion_rows
from transforms.core.times import date_of, days_of, micros_of

_MICROSECOND = timedelta(microseconds=1)


class JoinWitness(Protocol):
    """Somebody who is told which facts were put together; the rows that land do not depend on it."""

    def joined(self, facts: Mapping[str, Facts], suggestions: pa.Table) -> None:
        """Facts by dataset, each with the number of its row among these suggestions, which are not sorted yet."""

    def late(self, dataset: str, rows: pa.RecordBatch) -> None:
        """Facts that came after their suggestion was over."""


def join_suggestions(
    curated: CuratedBucket, recent: Recent, horizon: timedelta, lookback: timedelta, close_open: bool,
    witness: JoinWitness | None = None,
) -> CuratedBucket:  # fmt: skip
    """The same portion with the suggestions that are over, by the day on which they closed.

    Facts that came late or belong to no suggestion are counted. What is open goes to the bucket's memory, `recent`.
    With `close_open` every suggestion is over. Raises StorageUnavailable where published rows cannot be read.
    """
    if curated.clock.closes_to is None:
        return curated
    clock_us = micros_of(curated.clock.closes_to)
    rule = ClosingRule(horizon // _MICROSECOND, lookback // _MICROSECOND, clock_us, close_open)
    material = gather(curated, recent, horizon, lookback)
    codes, ids = _codes(material.facts)
    received_us = np.concatenate([micros(g.rows["received_at"]) for g in material.facts.values()])
    # A fact that was received after the clock waits: others from before it may still come and must be seen first.
    visible = (received_us <= rule.clock_us) & (codes >= 0)
    lives = find_lives(codes[visible], received_us[visible], material.published(ids), rule)
    of_fact, is_late = np.full(len(codes), -1), np.zeros(len(codes), dtype=bool)
    of_fact[visible], is_late[visible] = lives.of_fact, lives.is_late
    counts = {day: books.copy() for day, books in curated.counts.items()}
    by_dataset = _count_late_and_split(curated, counts, material.facts, of_fact, is_late, witness)
    _count_unjoined(counts, *(unjoined.without_id(n, *material.facts[n]) for n in unjoined.JOINED))
    over = _over(counts, material, by_dataset, lives, rule, witness) if len(lives.suggestion) else {}
    for day, table in over.items():
        counts.setdefault(day, Books()).add("rows", SUGGESTIONS, table.num_rows)
    if recent.is_kept:
        # An open fact comes up when its life would be over. One that is not visible yet comes up once the clock
        # has reached it. A fact that is in a published life, late or of no suggestion is not kept: -1.
        due_us = np.where(codes >= 0, received_us - 1, -1)
        due_us[visible] = lives.open_until_us
        _keep_open(recent, over.values(), material, due_us, rule)
    suggestions = {(SUGGESTIONS, day): table for day, table in over.items()}
    return replace(curated, tables={**curated.tables, **suggestions}, counts=counts)


def _codes(facts: dict[str, Gathered]) -> tuple[np.ndarray, pa.Array]:
    """For each fact a small number for its life's id, -1 where it names none; and the ids by number."""
    coded = pa.concat_arrays([g.rows[LIFE_ID] for g in facts.values()]).dictionary_encode()
    return coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), coded.dictionary


def _count_late_and_split(
    curated: CuratedBucket,
    counts: dict[date, Books],
    facts: dict[str, Gathered],
    of_fact: np.ndarray,
    is_late: np.ndarray,
    witness: JoinWitness | None,
) -> dict[str, Facts]:
    """Each dataset's rows of the lives that are over; adds the late facts to `counts`, on their day.

    A fact that was published before is counted if its own window's clock had not reached it: so each is counted
    once.
    """
    split, start = {}, 0
    for name, (rows, own_rows) in facts.items():
        life, late = of_fact[start : start + rows.num_rows], is_late[start : start + rows.num_rows].copy()
        late[own_rows:] &= micros(rows["received_at"])[own_rows:] > curated.clock.counted_late_to_us
        for day, count in zip(*np.unique(days_of(rows["received_at"])[late], return_counts=True), strict=True):
            counts.setdefault(date_of(day), Books()).add("late", name, int(count))
        if witness is not None:
            witness.late(name, rows.filter(pa.array(late)))
        within = np.flatnonzero(life >= 0)
        # Taking all rows would copy them; in a batch run nearly all are of lives that are over.
        kept = rows if len(within) == rows.num_rows else rows.take(pa.array(within))
        split[name] = Facts(kept, life[within])
        start += rows.num_rows
    return split


def _over(
    counts: dict[date, Books], material: Material, by_dataset: dict[str, Facts], lives: Lives, rule: ClosingRule,
    witness: JoinWitness | None,
) -> dict[date, pa.Table]:  # fmt: skip
    """Rows of the lives, by the day on which they closed; adds what belongs to none of them to `counts`."""
    attached = material.attached({name: facts.rows for name, facts in by_dataset.items()})
    of_providers = by_provider(by_dataset, lives)
    lost = unjoined.ambiguous(lives, of_providers.ambiguous)
    _count_unjoined(counts, unjoined.of_lives(by_dataset, lives), lost)
    rows = suggestion_rows(of_providers.facts, of_providers.lives, attached, rule.horizon_us)
    if witness is not None:
        witness.joined(of_providers.facts, rows)
    return _by_day(rows)


def _count_unjoined(counts: dict[date, Books], *found: unjoined.Counts) -> None:
    for (day, key), count in sum(found, Counter()).items():
        counts.setdefault(date_of(day), Books()).add("unjoined", key, count)


def _by_day(rows: pa.Table) -> dict[date, pa.Table]:
    """Rows of suggestions by the day on which they closed."""
    days = days_of(rows["closed_at"])
    return {date_of(number): rows.filter(pa.array(days == number)) for number in np.unique(days)}


def _keep_open(
    recent: Recent, over: Iterable[pa.Table], material: Material, due_us: np.ndarray, rule: ClosingRule
) -> None:
    """Keeps for the next window what may yet become part of a suggestion, and the lives that are over now.

    The work is put off until the files of this window are written.
    """
    still_open, start = {}, 0
    for name, (rows, _) in material.facts.items():
        own_due_us = due_us[start : start + rows.num_rows]
        still_open[name] = rows.filter(pa.array(own_due_us >= 0)), own_due_us[own_due_us >= 0]
        start += rows.num_rows
    spans = [life_spans(table) for table in over]
    recent.open_facts, attached = material.kept()
    recent.put_off(partial(_take_in, recent.open_facts, attached, still_open, spans, rule))


def _take_in(
    kept: OpenFacts,
    attached: Mapping[str, pa.RecordBatch],
    still_open: Mapping[str, tuple[pa.RecordBatch, np.ndarray]],
    over: Iterable[tuple[pa.Array, list[np.ndarray]]],
    rule: ClosingRule,
) -> None:
    kept.add_attached(attached)
    for name, (rows, due_us) in still_open.items():
        kept.facts[name].add(rows, due_us)
    # A life owns what comes up to one lookback after its end, so that is how long it is remembered.
    for ids, spans in over:
        kept.lives.add(ids, *spans, spans[1] + rule.lookback_us)
    # A fact that was received before this may be one of a life that is forgotten: the files are read for it.
    kept.complete_from_us = rule.clock_us - rule.horizon_us
    kept.lives.forget_before(kept.complete_from_us)
    # A row is attached to a life that begins at most one horizon after it. A life that begins with the next window
    # begins at `complete_from_us` or later.
    kept.let_go(kept.complete_from_us - rule.horizon_us, rule.clock_us + rule.horizon_us)
