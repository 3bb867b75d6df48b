"""A bucket's curated rows, and what earlier runs left open -> its suggestions that are over."""

from collections import defaultdict
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import SUGGESTIONS, load
from transforms.core.curate import CuratedBucket
from transforms.core.facts import Facts, micros
from transforms.core.lives import ClosingRule, Published, find_lives
from transforms.core.published import PublishedRows, whole_days
from transforms.core.suggestions import ATTACHED, FACTS, suggestion_rows
from transforms.core.times import TIMESTAMP, date_of, days_of

_MICROSECOND = timedelta(microseconds=1)
_EPOCH_DAY = date(1970, 1, 1)


class _Gathered(NamedTuple):
    """Rows of one dataset: this input's first, then what others published."""

    rows: pa.RecordBatch
    own: int


def join_suggestions(
    curated: CuratedBucket,
    published: PublishedRows,
    horizon: timedelta,
    lookback: timedelta,
    close_open: bool,
) -> None:
    """Adds the suggestions that are over, by the day they closed on, and counts late facts.

    Raises StorageUnavailable where published rows cannot be read.
    """
    if curated.clock is None:
        return
    rule = ClosingRule(
        horizon // _MICROSECOND,
        lookback // _MICROSECOND,
        int(micros(pa.array([curated.clock], TIMESTAMP))[0]),
        close_open,
    )
    begin = _begin(curated, published, horizon + lookback)
    facts = {name: _gather(name, load(name).arrow.names, curated, published, begin) for name in FACTS}
    codes, ids = _codes(facts)
    received = np.concatenate([micros(g.rows["received_at"]) for g in facts.values()])
    known = _published_lives(curated, published, ids, begin - whole_days(lookback) * timedelta(days=1))
    visible = (received <= rule.clock) & (codes >= 0)
    lives = find_lives(codes[visible], received[visible], known, rule)
    of_fact, is_late = np.full(len(codes), -1), np.zeros(len(codes), dtype=bool)
    of_fact[visible], is_late[visible] = lives.of_fact, lives.is_late
    by_dataset = _count_late_and_split(curated, facts, of_fact, is_late)
    if len(lives.first):
        attached = {
            name: facts[name].rows.select(columns)
            if name in facts
            else _gather(name, columns, curated, published, begin).rows
            for name, columns in ATTACHED.items()
        }
        _publish(curated, suggestion_rows(by_dataset, attached, lives, rule.horizon))


def _begin(curated: CuratedBucket, published: PublishedRows, reach: timedelta) -> date:
    """The first day that can hold a fact of a life that no earlier run has closed.

    What was open at the end of the input before this one has its last facts on the
    last day that has any; its first ones lie at most the reach before.
    """
    assert curated.clock is not None
    start = min((day for name, day in curated.tables if name in FACTS), default=curated.clock.date())
    before = [d for name in FACTS for d in published.days(name, _EPOCH_DAY, start - timedelta(days=1))]
    return max(before, default=start) - whole_days(reach) * timedelta(days=1)


def _gather(
    dataset: str, columns: tuple[str, ...], curated: CuratedBucket, published: PublishedRows, begin: date
) -> _Gathered:
    assert curated.clock is not None
    schema = pa.schema([pa.field(name, load(dataset).field(name).type) for name in columns])
    own = [t.select(columns).cast(schema) for _, t in sorted(_tables(curated, dataset), key=lambda found: found[0])]
    count = sum(t.num_rows for t in own)
    days = published.days(dataset, begin, curated.clock.date())
    others = published.read(dataset, curated.bucket, days, columns)
    table = pa.concat_tables([schema.empty_table(), *own, *([others.cast(schema)] if others.num_rows else [])])
    arrays = [pa.concat_arrays(c.chunks) if c.num_chunks else pa.array([], c.type) for c in table.columns]
    return _Gathered(pa.RecordBatch.from_arrays(arrays, schema=schema), count)


def _tables(curated: CuratedBucket, dataset: str) -> list[tuple[tuple[str, date], pa.Table]]:
    return [(key, table) for key, table in curated.tables.items() if key[0] == dataset]


def _codes(facts: dict[str, _Gathered]) -> tuple[np.ndarray, pa.Array]:
    """A small number for each fact's suggestion, -1 where it has none, and the ids by number."""
    coded = pa.concat_arrays([g.rows["suggestion_id"] for g in facts.values()]).dictionary_encode()
    return coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), coded.dictionary


def _published_lives(curated: CuratedBucket, published: PublishedRows, ids: pa.Array, begin: date) -> Published:
    """Lives that others published, from the day on which the first that is still remembered may have closed."""
    columns = ["suggestion_id", "first_received_at", "closed_at"]
    days = published.days(SUGGESTIONS, begin, date.max)
    table = published.read(SUGGESTIONS, curated.bucket, days, columns)
    known: dict[int, list[tuple[int, int]]] = defaultdict(list)
    if table.num_rows:
        table = table.combine_chunks()
        codes = pc.index_in(table["suggestion_id"], ids)
        spans = zip(codes.to_pylist(), *(table[n].cast(pa.int64()).to_pylist() for n in columns[1:]), strict=True)
        for code, first, end in spans:
            if code is not None:
                known[code].append((first, end))
    return known


def _count_late_and_split(
    curated: CuratedBucket, facts: dict[str, _Gathered], of_fact: np.ndarray, is_late: np.ndarray
) -> dict[str, Facts]:
    """Each dataset's rows of published lives; late ones of this input are counted on their day."""
    split, start = {}, 0
    for name, (rows, own) in facts.items():
        life, late = of_fact[start : start + rows.num_rows], is_late[start : start + own]
        for day, count in zip(*np.unique(days_of(rows["received_at"])[:own][late], return_counts=True), strict=True):
            curated.counts_of(date_of(day)).add("late", name, int(count))
        within = np.flatnonzero(life >= 0)
        kept = rows if len(within) == rows.num_rows else rows.take(pa.array(within))
        split[name] = Facts(kept, life[within])
        start += rows.num_rows
    return split


def _publish(curated: CuratedBucket, rows: pa.Table) -> None:
    keys = ("installation_id", "session_id", "displayed_at", "suggestion_id", "first_received_at")
    rows = rows.sort_by([(name, "ascending") for name in keys])
    days = days_of(rows["closed_at"])
    for number in np.unique(days):
        day = date_of(number)
        curated.tables[SUGGESTIONS, day] = rows.filter(pa.array(days == number))
        curated.counts_of(day).add("rows", SUGGESTIONS, int(np.count_nonzero(days == number)))
