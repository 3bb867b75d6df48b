"""Ledger rows of windows, written into an output without a job: what buckets leave when they have published."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from schemas.registry import load
from transforms.core import storage
from transforms.core.output.layout import LEDGER, FileName, Output
from transforms.core.output.parquet import parquet_bytes
from transforms.core.shuffle.windows import Window

STREAM = "0123456789abcdef"


def write_mark(
    output: Output, window: Window, bucket: int, positions: Mapping[str, tuple[int, int]] | None = None,
    buckets: int | None = 1, **more: Any,
) -> str:  # fmt: skip
    """A bucket's mark of a window that took these positions; quiet where it took none. Returns the file's path.

    Without a number of buckets it bears a name of older versions, and tells four in its row.
    """
    positions = positions or {}
    row: dict[str, Any] = dict.fromkeys(load(LEDGER).arrow.names)
    for name, field in zip(load(LEDGER).arrow.names, load(LEDGER).arrow, strict=True):
        if not field.nullable:
            row[name] = [] if pa.types.is_map(field.type) else "" if pa.types.is_string(field.type) else 0
    row |= {
        "input": window.name, "bucket": bucket, "buckets": buckets or 4, "contract": "x",
        "window_begin": datetime.fromtimestamp(window.begin_s, UTC),
        "window_end": datetime.fromtimestamp(window.end_s, UTC),
        "published_at": datetime.fromtimestamp(window.end_s + 2, UTC),
        "window_events": 0, "window_accounted": 0, "window_rows": 0,
        "positions_begin": sorted((part, begin) for part, (begin, _) in positions.items()),
        "positions_end": sorted((part, end) for part, (_, end) in positions.items()), **more,
    }  # fmt: skip
    path = output.file(LEDGER, window.mark_day, FileName(window.name, bucket, buckets))
    table = pa.Table.from_pylist([row], schema=load(LEDGER).arrow)
    storage.write_atomic(path, parquet_bytes(LEDGER, table, None))
    return path
