"""Rows on which our own code fails go aside and the others come out; counts stand on their own day."""

import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.options.ingest_flags import default_geo_database
from schemas.errors import InternalError
from tests.conftest import KEY_RING, sample
from transforms.core.batches import EventBatch
from transforms.core.blocks import Block
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys import keyring
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.protecting.places.geo import GeoDatabase
from transforms.core.protecting.protect import Protected, Protector
from transforms.core.protecting.protect_rows import RowProtector
from transforms.core.quarantine.rows import Quarantine
from transforms.core.quarantine.unprocessable import Unprocessable

KEYS = step_keys_of(keyring.load(KEY_RING))
BAD = "zz-bad"


class Faulty(Protector):
    """Fails on every batch in which the language of a row is BAD."""

    def protect(self, dataset: str, raw: pa.RecordBatch) -> Protected:
        if "language" in raw.schema.names and BAD in raw.column("language").to_pylist():
            raise RuntimeError(f"cannot do {BAD}")
        return super().protect(dataset, raw)


def decoded(rows: list[tuple[bool, int]]) -> list[EventBatch]:
    lines = []
    for number, (is_bad, day) in enumerate(rows):
        document = sample("displays/pass/ghostText.shown")
        properties = {"unique_id": f"e{number}", "languageId": BAD if is_bad else "python"}
        document["data"]["baseData"]["properties"] |= properties
        document["collector"]["received_at"] = f"2026-03-{day:02d}T10:00:00Z"
        lines.append(json.dumps(document).encode())
    return [b for b in BlockDecoder(KEYS.quarantine, 4).decode(Block(lines=lines)) if b.kind == "displays"]


def protected(batches: list[EventBatch], most: int) -> list[EventBatch]:
    protector = Faulty(KEYS.pseudonyms, GeoDatabase(default_geo_database(), 15_000), 4)
    rows = RowProtector(protector, Quarantine(KEYS.quarantine, 4), Unprocessable(most))
    return [found for batch in batches for found in rows.protect(batch)]


def rows_of(found: list[EventBatch], kind: str) -> list[dict[str, Any]]:
    return [row for batch in found if batch.kind == kind for row in batch.batch.to_pylist()]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), min_size=1, max_size=12))
def test_each_row_lands_or_goes_aside_once(rows: list[tuple[bool, int]]) -> None:
    found = protected(decoded(rows), most=100)
    landed, aside = rows_of(found, "displays"), rows_of(found, "quarantine")
    expected = Counter(day for is_bad, day in rows if not is_bad)
    assert Counter(row["received_at"].day for row in landed) == expected
    assert Counter(row["received_at"].day for row in aside) == Counter(day for is_bad, day in rows if is_bad)
    assert {row["reason"] for row in aside} <= {"unprocessable"}
    assert BAD not in repr(aside), "what it says is sealed"


def test_what_was_withheld_or_unknown_is_counted_on_its_own_day() -> None:
    found = protected(decoded([(False, 1), (False, 2), (False, 2)]), most=0)
    assert [batch.batch.num_rows for batch in found if batch.kind == "displays"] == [1, 2]
    assert len({row["slot_code"] for row in rows_of(found, "displays")}) == 1


def test_more_than_may_go_aside_stops_it() -> None:
    with pytest.raises(InternalError, match="--max_unprocessable") as stopped:
        protected(decoded([(True, 1)] * 3), most=2)
    assert BAD not in str(stopped.value)


def test_a_batch_without_its_payloads_raises_what_failed() -> None:
    (batch,) = decoded([(True, 1)])
    with pytest.raises((RuntimeError, InternalError)):
        protected([EventBatch(batch.kind, batch.batch)], most=5)
