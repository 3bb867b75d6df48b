"""Facts of suggestions made by hand, as rows and as the tables that a bucket curates them to."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from schemas.registry import load
from transforms.core.batches import EventBatch
from transforms.core.carried import SLOT
from transforms.core.output.layout import LANDING_DATASETS
from transforms.core.shuffle.pieces import sealed_schema

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
COMMON = {
    "suggestion_id": "5" * 32,
    "request_id": "4" * 32,
    "key_id": "2026-03",
    "schema_version": 1,
    "redaction_count": 0,
}
Fact = tuple[str, dict[str, Any]]
"""A dataset and a row of it; columns that are not named are null."""


def fact(dataset: str, number: int, second: float, **values: Any) -> Fact:
    """One fact, which happens and is received so many seconds after noon."""
    moment = NOON + timedelta(seconds=second)
    row = {**COMMON, "event_id": f"{number:032x}", "event_name": "e", "occurred_at": moment, "received_at": moment}
    return dataset, {**row, **values}


def batch_of(dataset: str, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    """Rows with all columns of a dataset, all of them nullable."""
    schema = pa.schema([pa.field(f.name, f.type) for f in load(dataset).arrow])
    return pa.RecordBatch.from_pylist(list(rows), schema=schema)


def tables_of(facts: Sequence[Fact]) -> dict[tuple[str, date], pa.Table]:
    """The facts by dataset and day, in the order in which they are told."""
    tables = {}
    for dataset in LANDING_DATASETS:
        for day in sorted({f["received_at"].date() for d, f in facts if d == dataset}):
            rows = [f for d, f in facts if d == dataset and f["received_at"].date() == day]
            tables[dataset, day] = pa.Table.from_batches([batch_of(dataset, rows)])
    return tables


def sealed_batch(dataset: str, rows: Sequence[dict[str, Any]], slot: int = 0) -> EventBatch:
    """Rows as they come into the shuffle: pseudonyms as 16 bytes, with their slot."""
    names = {f.name for f in load(dataset).fields if f.pseudonym_domain}
    made = [{k: bytes.fromhex(v) if k in names and v else v for k, v in row.items()} for row in rows]
    batch = pa.RecordBatch.from_pylist(
        [{"is_primary": True, SLOT: slot, **row} for row in made], sealed_schema(dataset)
    )
    return EventBatch(dataset, batch)
