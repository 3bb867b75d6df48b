"""Batches: what passes from step to step inside the fused stage, and must not leave it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from transforms.core.blocks import RawRequest
from transforms.core.carried import SLOT
from transforms.core.consent import Collector

QUARANTINE, COUNTS = "quarantine", "counts"
"""Kinds of batches beside the datasets."""

COUNT_SCHEMA = pa.schema(
    [
        (SLOT, pa.int32()),
        ("days", pa.int32()),
        ("kind", pa.string()),
        ("key", pa.string()),
        ("count", pa.int64()),
    ]
)
"""Counts as rows: received_date in days since 1970, the ledger's column (`kind`), and the key where that is a map."""

CLOCK = "clock"
CLOCK_SCHEMA = pa.schema([("received_at", pa.timestamp("us", "UTC"))])
"""The latest receive time that a bundle has seen; it goes to every bucket."""

TAKEN = "taken"
TAKEN_SCHEMA = pa.schema([(SLOT, pa.int32()), ("part", pa.string()), ("begin", pa.int64()), ("end", pa.int64())])
"""What a stream's source read of a partition or file: from position `begin` up to `end`, exclusive."""

RANGES = "ranges"
RANGES_SCHEMA = pa.schema(
    [(SLOT, pa.int32()), ("range", pa.string()), ("read_bytes", pa.int64()), ("payloads", pa.int64())]
)
"""What was read of a range of a batch input: the range's digest, bytes as stored, and payloads."""

PASSING = (COUNTS, QUARANTINE, TAKEN, RANGES)
"""Kinds that hold nothing that needs protection."""

COUNT_BUCKET = 0
"""Counts of what happened before the shuffle belong to no person; they all go to one bucket: this is its slot, too."""


@dataclass(frozen=True)
class Origins:
    """The payloads that a batch's rows come from; needed only for rows on which protecting fails.

    The lists are those of decoding, not copies, and all batches of a block share them. `kept` has the place in them
    of each row of the batch, `failed` the places of events that went aside after decoding: the rows attached to an
    event go with it.
    """

    lines: Sequence[bytes]
    requests: Sequence[RawRequest | None]
    stamps: Sequence[Collector]
    is_primary: bool
    failed: set[int]
    kept: np.ndarray

    def of_rows(self, rows: np.ndarray) -> "Origins":
        """Those of some rows of the batch, by their numbers."""
        return replace(self, kept=self.kept[rows])

    def not_failed(self) -> np.ndarray:
        """Which rows (a mask) belong to events that are still here."""
        return np.array([place not in self.failed for place in self.kept.tolist()], dtype=bool)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("unprotected payloads must not leave the stage that reads them")


@dataclass
class EventBatch:
    """A RecordBatch of one kind: a dataset's rows, quarantine rows, or counts.

    Before ProtectEvents it holds addresses and identifiers; therefore it
    refuses to be pickled: a runner that would move one between processes fails
    instead of writing it somewhere.
    """

    kind: str
    batch: pa.RecordBatch
    origins: Origins | None = None

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("only sealed pieces leave the stage that protects events")


class Tally:
    """Counts by day, kind and key, until they become rows."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, str, str]] = Counter()

    def add(self, day: int, kind: str, key: str = "", count: int = 1) -> None:
        """Adds to one of the counts; adding zero makes none."""
        if count:
            self._counts[day, kind, key] += count

    def batch(self) -> EventBatch | None:
        """The counts as rows of COUNT_SCHEMA, sorted; None where there are none."""
        if not self._counts:
            return None
        rows = [
            {SLOT: COUNT_BUCKET, "days": day, "kind": kind, "key": key, "count": count}
            for (day, kind, key), count in sorted(self._counts.items())
        ]
        return EventBatch(COUNTS, pa.RecordBatch.from_pylist(rows, schema=COUNT_SCHEMA))


def taken_batch(taken: Sequence[tuple[str, int, int]]) -> EventBatch | None:
    """What a block took, as rows of TAKEN_SCHEMA; None where the block is not from a stream."""
    return _told_to_count_bucket(TAKEN, TAKEN_SCHEMA, taken)


def ranges_batch(read: Sequence[tuple[str, int, int]]) -> EventBatch | None:
    """What a block took of ranges, as rows of RANGES_SCHEMA; None where the block is from a stream."""
    return _told_to_count_bucket(RANGES, RANGES_SCHEMA, read)


def _told_to_count_bucket(kind: str, schema: pa.Schema, told: Sequence[tuple[str, int, int]]) -> EventBatch | None:
    if not told:
        return None
    rows = [dict(zip(schema.names, (COUNT_BUCKET, *part), strict=True)) for part in told]
    return EventBatch(kind, pa.RecordBatch.from_pylist(rows, schema=schema))
