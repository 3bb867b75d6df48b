"""What the endless job keeps of suggestions that are not over, from window to window."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from schemas.registry import load
from transforms.core.recent.key_index import KeyIndex
from transforms.core.recent.row_store import RowStore
from transforms.core.suggestions.facts import micros
from transforms.core.suggestions.rows import ATTACHED, FACTS

_OWNERS = ("suggestion_id", "request_id", "opportunity_id")


def plain_schema(dataset: str, columns: tuple[str, ...] | None = None) -> pa.Schema:
    """A dataset's columns as they are joined: without metadata, all of them nullable."""
    names = load(dataset).arrow.names if columns is None else columns
    return pa.schema([pa.field(name, load(dataset).field(name).type) for name in names])


def _fact_stores() -> dict[str, RowStore]:
    return {name: RowStore(plain_schema(name), _OWNERS) for name in FACTS}


def _attached_stores() -> dict[str, RowStore]:
    return {name: RowStore(plain_schema(name, columns), _OWNERS) for name, columns in ATTACHED.items()}


@dataclass
class OpenFacts:
    """Rows that may still become part of a suggestion, and the lives that facts may come late for.

    Facts come up when their life would be over, or when its suggestion is heard of again.
    Complete for facts received at `floor` (microseconds) or later; for an
    earlier one the files have to be read.
    """

    floor: int = 0
    facts: dict[str, RowStore] = field(default_factory=_fact_stores)
    attached: dict[str, RowStore] = field(default_factory=_attached_stores)
    lives: KeyIndex = field(default_factory=KeyIndex)

    def come_up(self, own_ids: pa.Array, clock: int) -> dict[str, pa.RecordBatch]:
        """Takes out every fact of these suggestions and of those that are due."""
        due = {name: store.due_before(clock) for name, store in self.facts.items()}
        due_ids = [self.facts[name].take(places)["suggestion_id"] for name, places in due.items()]
        ids = pa.concat_arrays([own_ids, *due_ids]).drop_null().unique()
        found = {}
        for name, store in self.facts.items():
            places = np.unique(np.concatenate([due[name], store.find("suggestion_id", ids)]))
            found[name] = store.take(places)
            store.remove(places)
        return found

    def of_owners(self, facts: Mapping[str, pa.RecordBatch]) -> dict[str, pa.RecordBatch]:
        """Attached rows of the suggestions, requests and opportunities of these facts."""
        found = {}
        for name, store in self.attached.items():
            places = [store.find(owner, _ids(facts, owner)) for owner in _OWNERS]
            found[name] = store.take(np.unique(np.concatenate(places)))
        return found

    def let_go(self, earliest: int, until: int) -> None:
        """Forgets attached rows received earlier, but for those that an open fact may need: they stay until then."""
        for store in self.attached.values():
            places = store.due_before(earliest)
            rows = store.take(places)
            store.remove(places)
            is_needed = np.zeros(rows.num_rows, dtype=bool)
            for owner in (o for o in _OWNERS if o in rows.schema.names):
                for facts in self.facts.values():
                    is_needed |= facts.holds(owner, rows[owner])
            kept = rows.filter(pa.array(is_needed))
            store.add(kept, np.full(kept.num_rows, until, dtype=np.int64))

    def attach(self, rows: Mapping[str, pa.RecordBatch]) -> None:
        """Takes in rows that may be attached to suggestions; they are let go by their receive time."""
        for name, batch in rows.items():
            self.attached[name].add(batch, micros(batch["received_at"]))


def _ids(facts: Mapping[str, pa.RecordBatch], owner: str) -> pa.Array:
    return pa.concat_arrays([f[owner] for f in facts.values() if owner in f.schema.names]).drop_null().unique()
