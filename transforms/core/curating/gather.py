"""Everything that may belong to a portion's suggestions: its own rows and what was published before it.

There are two ways to the same: reading the files, and what the window before left
in memory. What comes of a portion must not depend on which of them was gone.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import SUGGESTIONS
from transforms.core.curating.curate import CuratedBucket
from transforms.core.output.published import PublishedRows, whole_days
from transforms.core.recent.open_facts import OpenFacts, plain_schema
from transforms.core.recent.recent import Recent
from transforms.core.suggestions.facts import micros
from transforms.core.suggestions.life_ids import LIFE_ID, life_ids, with_life_ids
from transforms.core.suggestions.lives import PublishedSpans
from transforms.core.suggestions.rows import ATTACHED, FACTS, attachable
from transforms.core.times import micros_of

_EPOCH_DAY = date(1970, 1, 1)
_SPAN = ("first_received_at", "closed_at")
_LIFE_COLUMNS = ("suggestion_id", "kind", "opportunity_id", *_SPAN)
"""What is remembered of a published life: whose it is, and its span."""


class Gathered(NamedTuple):
    """Rows of one dataset: first `own_rows` of this portion, then those that were published before.

    Facts have the column LIFE_ID.
    """

    rows: pa.RecordBatch
    own_rows: int


class Material(Protocol):
    """A portion's facts, and where to find what was published before it."""

    facts: dict[str, Gathered]

    def published(self, ids: pa.Array) -> PublishedSpans:
        """The lives of these suggestions that were published before, by the suggestion's place among the ids."""

    def attached(self, facts: Mapping[str, pa.RecordBatch]) -> dict[str, pa.RecordBatch]:
        """The portion's and earlier rows of each dataset of ATTACHED; at least all that belong to these facts."""

    def kept(self) -> tuple[OpenFacts, Mapping[str, pa.RecordBatch]]:
        """The memory of the next window, and the attached rows that it does not hold yet.

        The facts that are still open are not in it; the caller adds them.
        """


class FromFiles:
    """What the output's files hold, as far back as a life can reach that nobody has closed."""

    def __init__(self, curated: CuratedBucket, recent: Recent, horizon: timedelta, lookback: timedelta) -> None:
        self._curated = curated
        self._recent = recent
        self._lookback = lookback
        self._begin = _begin(curated, recent.published, horizon + lookback)
        assert curated.clock.closes_to is not None
        # A life that owns a fact of the portion begins at most one horizon after it, and lasts one lookback at most.
        self._last = date.max if recent.is_kept else (curated.clock.closes_to + horizon + lookback).date()
        self.facts = {name: _facts(self._gather(name, tuple(plain_schema(name).names))) for name in FACTS}

    @cached_property
    def _lives(self) -> tuple[pa.Array, list[np.ndarray]]:
        """Ids and spans of published lives, from the first day on of which a life may still be remembered."""
        begin = self._begin - whole_days(self._lookback) * timedelta(days=1)
        rows = self._recent.published
        table = rows.read(SUGGESTIONS, rows.days(SUGGESTIONS, begin, self._last), _LIFE_COLUMNS)
        if not table.num_rows:
            return pa.array([], pa.string()), [np.array([], dtype=np.int64)] * 2
        return life_spans(table)

    def published(self, ids: pa.Array) -> PublishedSpans:
        """Those of all lives that were read."""
        return by_place(*self._lives, ids)

    def attached(self, facts: Mapping[str, pa.RecordBatch]) -> dict[str, pa.RecordBatch]:  # noqa: ARG002
        """All rows that were read; a dataset that is of FACTS, too, is not read a second time."""
        return self._attached

    @cached_property
    def _attached(self) -> dict[str, pa.RecordBatch]:
        return {name: attachable(name, self._rows(name, columns).select(columns)) for name, columns in ATTACHED.items()}

    def _rows(self, dataset: str, columns: tuple[str, ...]) -> pa.RecordBatch:
        return (self.facts[dataset] if dataset in self.facts else self._gather(dataset, columns)).rows

    def kept(self) -> tuple[OpenFacts, Mapping[str, pa.RecordBatch]]:
        """A new memory with the lives that were read; all attached rows have to be added to it."""
        fresh, (ids, spans) = OpenFacts(), self._lives
        fresh.lives.add(ids, *spans, spans[1] + self._lookback // timedelta(microseconds=1))
        return fresh, self._attached

    def _gather(self, dataset: str, columns: tuple[str, ...]) -> Gathered:
        curated, schema = self._curated, plain_schema(dataset, columns)
        assert curated.clock.closes_to is not None
        published = self._recent.published
        # A row that was received after the clock is no fact yet, but if it is kept it may be one of a later window.
        last = date.max if self._recent.is_kept else curated.clock.closes_to.date()
        others = published.read(dataset, published.days(dataset, self._begin, last), columns)
        return _one_batch(curated, dataset, schema, [others.cast(schema)] if others.num_rows else [])


class FromMemory:
    """What the window before kept; of its facts only those of suggestions that are heard of again, or due."""

    def __init__(self, curated: CuratedBucket, kept: OpenFacts) -> None:
        self._kept = kept
        self._own = {
            name: attachable(name, _one_batch(curated, name, plain_schema(name, c), []).rows)
            for name, c in ATTACHED.items()
        }
        own = {name: _facts(_one_batch(curated, name, plain_schema(name), [])) for name in FACTS}
        own_ids = pa.concat_arrays([rows[LIFE_ID] for rows, _ in own.values()])
        assert curated.clock.closes_to is not None
        found = kept.come_up(own_ids, micros_of(curated.clock.closes_to))
        self.facts = {name: Gathered(_joined(rows, found[name]), count) for name, (rows, count) in own.items()}

    def published(self, ids: pa.Array) -> PublishedSpans:
        """Those of the lives that are remembered."""
        keys, values = self._kept.lives.find(ids)
        return by_place(keys, values or [np.array([], dtype=np.int64)] * 2, ids)

    def attached(self, facts: Mapping[str, pa.RecordBatch]) -> dict[str, pa.RecordBatch]:
        """The portion's rows, and of the kept ones those that belong to the facts."""
        found = self._kept.of_owners(facts)
        return {name: _joined(rows, found[name]) for name, rows in self._own.items()}

    def kept(self) -> tuple[OpenFacts, Mapping[str, pa.RecordBatch]]:
        """The same memory; the portion's attached rows have to be added to it."""
        return self._kept, self._own


def gather(curated: CuratedBucket, recent: Recent, horizon: timedelta, lookback: timedelta) -> Material:
    """What was kept in memory, if it is complete for the portion's facts; else what the files hold."""
    kept = recent.open_facts
    earliest_us = min((_earliest_us(t) for (name, _), t in curated.tables.items() if name in FACTS), default=None)
    if kept is not None and (earliest_us is None or earliest_us >= kept.complete_from_us):
        return FromMemory(curated, kept)
    return FromFiles(curated, recent, horizon, lookback)


def life_spans(suggestions: pa.Table) -> tuple[pa.Array, list[np.ndarray]]:
    """Of rows of `suggestions` the ids of their lives, first facts and ends in microseconds since 1970."""
    columns = {name: pa.concat_arrays(suggestions[name].chunks) for name in _LIFE_COLUMNS}
    spans = [micros(columns[name]) for name in _SPAN]
    return life_ids(pa.RecordBatch.from_pydict(columns)), spans


def by_place(keys: pa.Array, spans: list[np.ndarray], ids: pa.Array) -> PublishedSpans:
    """First fact and end of each life of the ids, by the id's place among them; those of other keys are left out."""
    known: dict[int, list[tuple[int, int]]] = defaultdict(list)
    places = pc.index_in(keys, ids).to_pylist() if len(keys) else []
    for place, first_us, end_us in zip(places, *(v.tolist() for v in spans[:2]), strict=True):
        if place is not None:
            known[place].append((first_us, end_us))
    return known


def _facts(gathered: Gathered) -> Gathered:
    return Gathered(with_life_ids(gathered.rows), gathered.own_rows)


def _earliest_us(table: pa.Table) -> int:
    return int(np.min(micros(pa.concat_arrays(table["received_at"].chunks))))


def _begin(curated: CuratedBucket, published: PublishedRows, reach: timedelta) -> date:
    """The first day that can hold a fact of a life that no earlier run has closed.

    What was open at the end of the input before this one has its last fact on the
    last day before this one's that has any; its first fact lies at most the reach before.
    """
    assert curated.clock.closes_to is not None
    start = min((day for name, day in curated.tables if name in FACTS), default=curated.clock.closes_to.date())
    before = [d for name in FACTS for d in published.days(name, _EPOCH_DAY, start - timedelta(days=1))]
    return max(before, default=start) - whole_days(reach) * timedelta(days=1)


def _one_batch(curated: CuratedBucket, dataset: str, schema: pa.Schema, others: list[pa.Table]) -> Gathered:
    """The portion's rows of a dataset by day, then the others, as one batch without chunks."""
    own = [t.select(schema.names).cast(schema) for key, t in sorted(curated.tables.items(), key=lambda found: found[0])
           if key[0] == dataset]  # fmt: skip
    table = pa.concat_tables([schema.empty_table(), *own, *others])
    arrays = [pa.concat_arrays(c.chunks) if c.num_chunks else pa.array([], c.type) for c in table.columns]
    return Gathered(pa.RecordBatch.from_arrays(arrays, schema=schema), sum(t.num_rows for t in own))


def _joined(first: pa.RecordBatch, second: pa.RecordBatch) -> pa.RecordBatch:
    columns = [pa.concat_arrays([a, b]) for a, b in zip(first.columns, second.columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=first.schema)
