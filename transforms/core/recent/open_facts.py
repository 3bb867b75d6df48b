"""What the endless job keeps of suggestions that are not over, from window to window."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from schemas.registry import load
from transforms.core.recent.key_index import KeyIndex
from transforms.core.recent.row_store import RowStore
from transforms.core.suggestions.facts import micros
from transforms.core.suggestions.life_ids import LIFE_ID
from transforms.core.suggestions.rows import ATTACHED, FACTS

_OWNERS = ("suggestion_id", "request_id", "opportunity_id")
"""Columns that say whom an attached row belongs to."""

_INDEXED = {"suggestion_id": LIFE_ID, "request_id": "request_id", "opportunity_id": "opportunity_id"}
"""The column of facts by which they are found for each of _OWNERS.

What names a suggestion and is attached names ghost text, and its life has the same id.
"""


def plain_schema(dataset: str, columns: tuple[str, ...] | None = None) -> pa.Schema:
    """A dataset's columns, or some of them, as they are joined: without metadata and all of them nullable."""
    names = load(dataset).arrow.names if columns is None else columns
    return pa.schema([pa.field(name, load(dataset).field(name).type) for name in names])


def fact_schema(dataset: str) -> pa.Schema:
    """A dataset's columns and LIFE_ID."""
    return plain_schema(dataset).append(pa.field(LIFE_ID, pa.string()))


def _fact_stores() -> dict[str, RowStore]:
    return {name: RowStore(fact_schema(name), tuple(_INDEXED.values())) for name in FACTS}


def _attached_stores() -> dict[str, RowStore]:
    return {name: RowStore(plain_schema(name, columns), _OWNERS) for name, columns in ATTACHED.items()}


@dataclass
class OpenFacts:
    """Rows that may still become part of a suggestion, and the lives that facts may come late for.

    `facts` come up when their life would be over, or when their suggestion is
    heard of again. `attached` are rows that do not prolong a life. `lives` has for
    each suggestion its life's first fact, its end, and until when it is remembered.
    All of it is complete for a fact that was received at `complete_from_us` or
    later; for an earlier fact the files have to be read. Times are microseconds
    since 1970.
    """

    complete_from_us: int = 0
    facts: dict[str, RowStore] = field(default_factory=_fact_stores)
    attached: dict[str, RowStore] = field(default_factory=_attached_stores)
    lives: KeyIndex = field(default_factory=KeyIndex)

    def come_up(self, own_ids: pa.Array, clock_us: int) -> dict[str, pa.RecordBatch]:
        """Removes and returns every fact of these lives and of those of which a fact is due before the clock."""
        due = {name: store.due_before(clock_us) for name, store in self.facts.items()}
        due_ids = [self.facts[name].rows_at(places)[LIFE_ID] for name, places in due.items()]
        ids = pa.concat_arrays([own_ids, *due_ids]).drop_null().unique()
        found = {}
        for name, store in self.facts.items():
            # A due row of a found life is in both, and must be removed once.
            places = np.unique(np.concatenate([due[name], store.find(LIFE_ID, ids)]))
            found[name] = store.rows_at(places)
            store.remove(places)
        return found

    def of_owners(self, facts: Mapping[str, pa.RecordBatch]) -> dict[str, pa.RecordBatch]:
        """The attached rows of the suggestions, requests and opportunities of these facts; they stay."""
        found = {}
        for name, store in self.attached.items():
            places = [store.find(owner, _ids(facts, owner)) for owner in _OWNERS]
            found[name] = store.rows_at(np.unique(np.concatenate(places)))
        return found

    def let_go(self, earliest_us: int, until_us: int) -> None:
        """Removes the attached rows that were received before `earliest_us` and that no open fact may need.

        Those that one may need are kept, and looked at again once `earliest_us` has passed `until_us`.
        """
        for store in self.attached.values():
            places = store.due_before(earliest_us)
            rows = store.rows_at(places)
            store.remove(places)
            is_needed = np.zeros(rows.num_rows, dtype=bool)
            for owner in (o for o in _OWNERS if o in rows.schema.names):
                for facts in self.facts.values():
                    is_needed |= facts.holds(_INDEXED[owner], rows[owner])
            kept = rows.filter(pa.array(is_needed))
            store.add(kept, np.full(kept.num_rows, until_us, dtype=np.int64))

    def add_attached(self, rows: Mapping[str, pa.RecordBatch]) -> None:
        """Adds rows that may be attached to suggestions; `let_go` goes by their receive time."""
        for name, batch in rows.items():
            self.attached[name].add(batch, micros(batch["received_at"]))


def _ids(facts: Mapping[str, pa.RecordBatch], owner: str) -> pa.Array:
    return pa.concat_arrays([f[owner] for f in facts.values() if owner in f.schema.names]).drop_null().unique()
