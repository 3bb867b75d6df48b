"""What events leave, without duplicates and joined: the steps after the shuffle, in memory, and nothing is written."""

import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.checking.fates import Fate, Suggestion, Verdict
from pipelines.checking.tracing import Tracer
from transforms.core.batches import CLOCK, CLOCK_SCHEMA, COUNT_BUCKET, COUNT_SCHEMA, COUNTS, QUARANTINE
from transforms.core.curating.curate import CuratedBucket, as_in_files, curate, duplicate_rows
from transforms.core.curating.join import join_suggestions
from transforms.core.output.books import Books
from transforms.core.output.layout import Output
from transforms.core.output.published import key_column
from transforms.core.recent.memory import BucketMemory
from transforms.core.recent.recent import Recent
from transforms.core.shuffle.windows import Portion
from transforms.core.suggestions.facts import Facts, micros
from transforms.core.suggestions.lives import END_OF_INPUT
from transforms.core.suggestions.rows import attachable
from transforms.core.suggestions.unjoined import JOINED

_NOBODY = -1

_Rows = dict[str, tuple[pa.Table, list[int]]]
"""Kind -> rows as they travel, and for each the number of its event."""


class Spans(NamedTuple):
    """The flags that decide what is a copy and when a suggestion is over."""

    lookback: timedelta
    horizon: timedelta


@dataclass
class Published:
    """The books of the input as the job's ledger would have them, and its suggestions in no order."""

    books: Books = field(default_factory=Books)
    suggestions: list[Suggestion] = field(default_factory=list)
    months: set[str] = field(default_factory=set)


def published(traced: Tracer, fates: list[Fate], spans: Spans) -> Published:
    """Curates and joins what was traced; says in each fate what becomes of it there.

    Every suggestion is closed at the end of the input: those that a job would leave open say so.
    """
    result = Published()
    rows, portion = _rows(traced, fates), Portion("check", COUNT_BUCKET)
    with tempfile.TemporaryDirectory() as nothing:
        recent = BucketMemory().lend(portion, Output(nothing).listing(), traced.landing)
        tables = {kind: table for kind, (table, _) in rows.items()} | _latest(traced)
        curated = curate(portion, tables, recent, spans.lookback, timedelta(0), spans.horizon)
        witness = _Witness(fates, _mark_duplicates(rows, fates, recent, spans.lookback))
        joined = join_suggestions(curated, recent, spans.horizon, spans.lookback, True, witness)
        witness.mark_unjoined(curated)
    for day, books in joined.counts.items():
        result.books.add_row(books.as_row())
        result.months.add(f"{day:%Y-%m}")
    result.suggestions = [suggestion for _, suggestion in witness.lives]
    _mark_apart(witness.lives, traced.named)
    return result


def _latest(traced: Tracer) -> dict[str, pa.Table]:
    """The clock of the whole input, as the job tells it to each bucket."""
    times = [pc.max(p.batch["received_at"]) for kind, found in traced.passed.items() if kind != QUARANTINE
             for p in found]  # fmt: skip
    if not times:
        return {}
    latest = max(time.as_py() for time in times)
    return {CLOCK: pa.table({"received_at": pa.array([latest], CLOCK_SCHEMA.field(0).type)})}


def _rows(traced: Tracer, fates: list[Fate]) -> _Rows:
    numbers = {id(fate): number for number, fate in enumerate(fates)}
    rows: _Rows = {COUNTS: (pa.Table.from_batches(traced.counts, COUNT_SCHEMA), [])}
    for kind, found in traced.passed.items():
        of_rows = [numbers.get(id(fate), _NOBODY) for passed in found for fate in passed.fates]
        rows[kind] = pa.Table.from_batches([passed.batch for passed in found]).combine_chunks(), of_rows
    return rows


_Landed = dict[tuple[str, str, int], int]
"""(Dataset, event id, receive time in microseconds) of each row that lands -> number of its event."""


def _mark_duplicates(rows: _Rows, fates: list[Fate], recent: Recent, lookback: timedelta) -> _Landed:
    landed: _Landed = {}
    for kind, (table, numbers) in rows.items():
        if kind != COUNTS:
            in_files = as_in_files(kind, table.combine_chunks())
            copies = duplicate_rows(kind, in_files, recent, lookback)
            times_us = micros(pa.concat_arrays(in_files["received_at"].chunks)).tolist()
            keys = zip(in_files[key_column(kind)].to_pylist(), times_us, strict=True)
            found = list(zip(keys, numbers, in_files["is_primary"].to_pylist(), copies.tolist(), strict=True))
            kept: dict[str, list[tuple[int, int]]] = defaultdict(list)
            for (key, time_us), number, _, is_copy in found:
                if not is_copy:
                    kept[key].append((time_us, number))
                    landed[kind, key, time_us] = number
            for (key, time_us), number, is_primary, is_copy in found:
                if is_copy and number != _NOBODY:
                    _mark_copy(fates[number], kind, is_primary, _nearest(kept[key], time_us), fates)
    return landed


def _nearest(kept: list[tuple[int, int]], time_us: int) -> int:
    """Of rows that land (receive time, number of the event) the one that is received nearest to a time."""
    return min(kept, key=lambda own: abs(own[0] - time_us))[1]


def _mark_copy(fate: Fate, kind: str, is_primary: bool, original: int, fates: list[Fate]) -> None:
    fate.datasets = [dataset for dataset in fate.datasets if dataset != kind]
    if is_primary:
        fate.verdict = Verdict.DUPLICATE
        fate.duplicate_of = fates[original].place if original != _NOBODY else None


class _Witness:
    """Sees which events the join puts together."""

    def __init__(self, fates: list[Fate], landed: _Landed) -> None:
        self._fates = fates
        self._landed = landed
        self.lives: list[tuple[str | None, Suggestion]] = []
        """Each suggestion with its id."""

    def joined(self, facts: Mapping[str, Facts], suggestions: pa.Table) -> None:
        """Makes a Suggestion for each row, with its facts."""
        made = []
        for row in suggestions.select(["suggestion_id", "kind", "outcome", "closed_by"]).to_pylist():
            made.append(Suggestion(row["kind"], row["outcome"], row["closed_by"] == END_OF_INPUT))
            self.lives.append((row["suggestion_id"], made[-1]))
        for dataset, (rows, life) in facts.items():
            for fate, number in zip(self._of(dataset, rows), life.tolist(), strict=True):
                if fate is not None:
                    made[number].facts.append(fate)
                    fate.suggestion = made[number]

    def late(self, dataset: str, rows: pa.RecordBatch) -> None:
        """Marks the events that came late."""
        for fate in self._of(dataset, rows):
            if fate is not None:
                fate.is_late = True

    def mark_unjoined(self, curated: CuratedBucket) -> None:
        """Marks displays, outcomes and checks that are of no suggestion, late ones and attached ones aside."""
        for (dataset, _), table in curated.tables.items():
            if dataset not in JOINED:
                continue
            rows = table.combine_chunks().to_batches()[0]
            attached = attachable(dataset, rows) if dataset == "persistence_checks" else rows.slice(0, 0)
            beside = {id(fate) for fate in self._of(dataset, attached)}
            for fate in self._of(dataset, rows):
                if fate is not None and fate.suggestion is None and not fate.is_late and id(fate) not in beside:
                    fate.is_unjoined = True

    def _of(self, dataset: str, rows: pa.RecordBatch) -> list[Fate | None]:
        keys = zip(rows["event_id"].to_pylist(), micros(rows["received_at"]).tolist(), strict=True)
        numbers = [self._landed.get((dataset, event_id, time_us), _NOBODY) for event_id, time_us in keys]
        return [None if number == _NOBODY else self._fates[number] for number in numbers]


def _mark_apart(lives: list[tuple[str | None, Suggestion]], named: Mapping[int, bytes]) -> None:
    """Tells where facts that name one suggestion are not put together because they come of several installations.

    `named` is that of a Tracer. The ids of lives depend on who sent them, and so differ there.
    """
    shown: dict[bytes, tuple[str | None, Suggestion]] = {}
    for own_id, suggestion in lives:
        if suggestion.of("displays"):
            for fate in suggestion.facts:
                shown.setdefault(named.get(id(fate), b""), (own_id, suggestion))
    for own_id, suggestion in lives:
        for fate in () if suggestion.of("displays") else suggestion.facts:
            other_id, other = shown.get(named.get(id(fate), b""), (own_id, suggestion))
            if id(fate) in named and other_id != own_id:
                fate.hint = (
                    f"its display ({other.of('displays')[0].place.short}) has another client_machineid: events are "
                    "put together only if each has the same one"
                )
