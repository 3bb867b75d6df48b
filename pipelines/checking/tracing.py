"""Events through the code of the jobs, up to where they would be sealed, with an account of each one.

Many events go through together, as in the jobs. Where something is told of any of them that somebody wants to see,
each half goes through by itself, and so on: so what is said of an event is what the jobs' own code says of it alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.checking.fates import Fate, Verdict
from schemas.known_values import Vocabulary
from schemas.manifests import Manifests
from schemas.registry import Schema, load
from transforms.core.batches import COUNTS, QUARANTINE, EventBatch
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.decoding.decoded import Event
from transforms.core.keys.step_keys import StepKeys
from transforms.core.output.landing import Landing
from transforms.core.protecting.places.geo import GeoDatabase
from transforms.core.protecting.protect import Protector, withhold_fields
from transforms.core.protecting.protect_rows import RowProtector
from transforms.core.quarantine.rows import Quarantine
from transforms.core.quarantine.unprocessable import Unprocessable
from transforms.core.times import days_of

_SLOTS = 1
_TOLD = {"withheld", "outside_contract", "withheld_fields", "unknown_values", "scrubbed"}
_MOST_TOGETHER = 512

Told = tuple[str, str]
"""A column of the ledger and a key in it: what is told of some event."""

Numbered = tuple[Fate, Event]


class Passed(NamedTuple):
    """Rows as they would be sealed, and the event of each; None where nobody asked which one it is."""

    batch: pa.RecordBatch
    fates: Sequence[Fate | None]


class _Group(NamedTuple):
    rows: list[tuple[str, Passed]]
    counts: list[pa.RecordBatch]
    told: set[Told]
    clear: list[EventBatch]
    is_whole: bool


class Examples:
    """How many events were found of which each thing is told. Of `most` of them it shall be seen which they are."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._found: Counter[Told] = Counter()

    def are_wanted(self, told: set[Told]) -> bool:
        """Whether more are wanted of any of these."""
        return any(self._found[each] < self._most for each in told)

    def add(self, told: set[Told]) -> None:
        """Counts one event."""
        self._found.update(told)


class Tracer:
    """Traces events, and gathers what they leave."""

    def __init__(
        self, keys: StepKeys, geo_database: str, vocabulary: Vocabulary, manifests: Manifests, examples: Examples
    ) -> None:
        bugs = Unprocessable(most=10**12)
        self.landing = Landing(keys.landing, "", _SLOTS)
        self.decoder = BlockDecoder(keys.quarantine, _SLOTS, vocabulary, bugs, manifests)
        protector = Protector(keys.pseudonyms, GeoDatabase(geo_database, 0), _SLOTS, vocabulary)
        self._protector = RowProtector(protector, Quarantine(keys.quarantine, _SLOTS), bugs)
        self._unsent = keys.pseudonyms.id_pseudonymizer("suggestion", has_sender=False)
        self._examples = examples
        self.passed: dict[str, list[Passed]] = defaultdict(list)
        self.counts: list[pa.RecordBatch] = []
        self.named: dict[int, bytes] = {}
        """The suggestion that an event names, by the `id` of its fate. Two senders may name the same one."""

    def trace(self, events: list[Numbered], *, are_lines: bool) -> None:
        """Says in each event's fate what is wanted of it."""
        waiting = [events[at : at + _MOST_TOGETHER] for at in range(0, len(events), _MOST_TOGETHER)][::-1]
        while waiting:
            some = waiting.pop()
            group = self._together(some, are_lines=are_lines)
            if len(some) > 1 and (not group.is_whole or self._examples.are_wanted(group.told)):
                waiting += [some[len(some) // 2 :], some[: len(some) // 2]]
                continue
            if len(some) == 1:
                _tell(some[0][0], group)
                self._examples.add(group.told)
            self._take(group)

    def add_refused(self, fate: Fate, batches: Iterable[EventBatch]) -> None:
        """Takes what belongs to no single event: counts, and quarantine rows of a body or a part of a file."""
        found = [batch for batch in batches if batch.batch.num_rows]
        for batch in found:
            if batch.kind == QUARANTINE:
                _tell_refusal(fate, batch.batch.to_pylist())
                self.passed[QUARANTINE].append(Passed(batch.batch, [fate] * batch.batch.num_rows))
            else:
                self.counts.append(batch.batch)

    def _together(self, some: list[Numbered], *, are_lines: bool) -> _Group:
        parts = list(self.decoder.parts_of([event for _, event in some], are_lines=are_lines))
        decoded = [batch for part in parts for batch in part.batches]
        group = _Group([], [], set(), [], len(parts) == 1)
        for events in decoded:
            if events.origins is None:
                group = _with_aside(group, events, some)
                continue
            fates = _fates_of(events, some)
            order = np.argsort(days_of(events.batch.column("received_at")), kind="stable")
            ordered, done = [fates[row] for row in order.tolist()], 0
            group.clear.append(events)
            self._take_names(fates, events.batch)
            for made in self._protector.protect(events):
                if made.kind != events.kind:
                    group = _with_aside(group, made, some)
                    continue
                rows = made.batch.num_rows
                group.rows.append((made.kind, Passed(made.batch, ordered[done : done + rows])))
                done += rows
            group = group._replace(is_whole=group.is_whole and done == len(ordered))
        return group

    def _take_names(self, fates: Sequence[Fate], clear: pa.RecordBatch) -> None:
        names = self._unsent.column(clear["suggestion_id"]).to_pylist()
        self.named |= {id(fate): name for fate, name in zip(fates, names, strict=True) if name is not None}

    def _take(self, group: _Group) -> None:
        for kind, passed in group.rows:
            for fate in passed.fates:
                if fate is not None and kind != QUARANTINE:
                    fate.verdict = fate.verdict or Verdict.LANDED
                    fate.datasets.append(kind)
            self.passed[kind].append(passed)
        self.counts += group.counts


def _with_aside(group: _Group, aside: EventBatch, some: list[Numbered]) -> _Group:
    if aside.kind == COUNTS:
        group.counts.append(aside.batch)
        rows = aside.batch.select(["kind", "key"]).to_pylist()
        group.told.update((row["kind"], row["key"]) for row in rows if row["kind"] in _TOLD)
    elif aside.kind == QUARANTINE:
        fate = some[0][0] if len(some) == 1 else None
        group.rows.append((QUARANTINE, Passed(aside.batch, [fate] * aside.batch.num_rows)))
        group.told.update(("quarantined", reason) for reason in aside.batch.column("reason").to_pylist())
    return group


def _fates_of(events: EventBatch, some: list[Numbered]) -> list[Fate]:
    """The event of each row: the decoder keeps the lines that it was given, in their order."""
    assert events.origins is not None
    left = iter(some)
    by_place = [next(fate for fate, event in left if event[0] is line) for line in events.origins.lines]
    return [by_place[place] for place in events.origins.kept.tolist()]


def _tell(fate: Fate, group: _Group) -> None:
    """Fills the fate of the group's only event, as far as it does not follow from the rows alone."""
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for batch in group.counts:
        for row in batch.to_pylist():
            counts[row["kind"]][row["key"]] = counts[row["kind"]].get(row["key"], 0) + row["count"]
    for verdict in (Verdict.WITHHELD, Verdict.OUTSIDE_CONTRACT):
        for key in counts[verdict]:
            fate.verdict, fate.key = verdict, key
    for kind, passed in group.rows:
        if kind == QUARANTINE:
            _tell_refusal(fate, passed.batch.to_pylist())
    fate.withheld_values, fate.unknown_values = counts["withheld_fields"], counts["unknown_values"]
    fate.redactions = counts["scrubbed"]
    if fate.withheld_values:
        names = [name for events in group.clear for name in _withheld_names(load(events.kind), events.batch)]
        fate.withheld_fields = list(dict.fromkeys(names))


def _tell_refusal(fate: Fate, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["is_primary"]:
            fate.verdict, fate.key, fate.dataset = Verdict.QUARANTINED, row["reason"], row["dataset"]
            fate.wrong, fate.expected = row["field"], row["expected"]


def _withheld_names(schema: Schema, batch: pa.RecordBatch) -> list[str]:
    before = dict(zip(batch.schema.names, batch.columns, strict=True))
    after = dict(before)
    withhold_fields(schema, after, defaultdict(int))  # type: ignore[arg-type]
    return [n for n, c in after.items() if c.null_count > before[n].null_count and pc.any(before[n].is_valid()).as_py()]
