"""How far a stream's output is whole: found in the ledger, kept beside it, so that a start reads little.

The file `_stream-<digest>.json` says up to which boundary every window is whole
and where the source is read on from. It follows from the ledger's marks and is
made anew from them where it is missing, but for a stream of which no window is
whole yet: then it alone says where the stream begins.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from schemas.errors import UnbalancedBooks
from schemas.registry import load as load_schema
from transforms.core import storage
from transforms.core.files import parquet_bytes
from transforms.core.layout import DATA_DATASETS, LEDGER, FileName, Listing, days_with_files, file_path
from transforms.core.ledger import is_quiet, mark_names, read_row
from transforms.core.windows import Window, mark_day, window_end_s


@dataclass
class StreamState:
    """Every window up to `whole_to_s` is whole; `positions` say where each partition or file is read on from."""

    output: str
    stream: str
    whole_to_s: int
    positions: dict[str, int] = field(default_factory=dict)

    def save(self) -> None:
        """Writes the file."""
        facts = {"version": 1, "whole_to_s": self.whole_to_s, "positions": self.positions}
        storage.write_atomic(_path(self.output, self.stream), (json.dumps(facts) + "\n").encode())


def _path(output: str, stream: str) -> str:
    return storage.join(output, f"_stream-{stream}.json")


def load(output: str, stream: str) -> StreamState | None:
    """What the file says; None where there is none."""
    path = _path(output, stream)
    if not storage.exists(path):
        return None
    facts = json.loads(storage.read_bytes(path))
    return StreamState(output, stream, facts["whole_to_s"], facts["positions"])


def recover(output: str, stream: str) -> StreamState | None:
    """The state from the ledger alone, as it was before the first window; None where the stream left no mark."""
    rows = [row for _, row in _marks(output, stream, Listing(output), days_with_files(output, LEDGER), -1)]
    if not rows:
        return None
    first = min(int(row["window_begin"].timestamp()) for row in rows)
    return StreamState(output, stream, first)


def advance(state: StreamState, buckets: int) -> list[dict[str, Any]]:
    """Takes in the windows that became whole; returns their marks, by end and bucket.

    A window is whole when every bucket has marked it. Raises UnbalancedBooks
    where what the buckets wrote is not what the source read, or where the source
    did not read on from where the window before ended; the state then stays
    before that window, and the next start reads it again.
    """
    listing = Listing(state.output)
    days = [day for day in listing.days(LEDGER) if day >= mark_day(state.whole_to_s + 1)]
    ends: dict[int, int] = {}
    for _, name, end_s in mark_names(state.stream, listing, days, state.whole_to_s):
        ends[name.bucket] = max(end_s, ends.get(name.bucket, 0))
    if len(ends) < buckets:
        return []
    whole_to_s = min(ends.values())
    found = [(end_s, row) for end_s, row in _marks(state.output, state.stream, listing, days, state.whole_to_s)
             if end_s <= whole_to_s]  # fmt: skip
    rows = [row for _, row in sorted(found, key=lambda mark: (mark[0], mark[1]["bucket"]))]
    positions = _checked(state, rows)
    state.whole_to_s, state.positions = whole_to_s, positions
    state.save()
    return rows


def _checked(state: StreamState, rows: list[dict[str, Any]]) -> dict[str, int]:
    """The positions after these windows; raises UnbalancedBooks."""
    events, accounted = (sum(row[name] or 0 for row in rows) for name in ("window_events", "window_accounted"))
    if events != accounted:
        raise UnbalancedBooks(
            f"windows from {state.whole_to_s} on: the source read {events} events, {accounted} are accounted for; "
            "start again to read them again"
        )
    positions = dict(state.positions)
    for row in rows:
        begins = dict(row["positions_begin"] or ())
        for part, end in row["positions_end"] or ():
            if positions.get(part, begins[part]) != begins[part]:
                raise UnbalancedBooks(
                    f"window to {row['window_end']:%Y-%m-%dT%H:%M:%SZ}: {part} was read from {begins[part]} on, "
                    f"the window before ended at {positions[part]}; start again to read it again"
                )
            positions[part] = end
    return positions


def remove_unfinished(state: StreamState) -> int:
    """Removes files of windows that are not whole, marks first; returns how many. They are written again.

    What the mark of a quiet span says holds for each part of it: of one that reaches beyond the last
    whole window what lies before stays.
    """
    removed = 0
    listing = Listing(state.output)
    for _, row in _marks(state.output, state.stream, listing, listing.days(LEDGER), state.whole_to_s):
        if is_quiet(row) and row["window_begin"].timestamp() < state.whole_to_s:
            _shorten(state, row)
    for dataset in (LEDGER, *DATA_DATASETS):
        for day in listing.days(dataset):
            for name in listing.files(dataset, day):
                if (window_end_s(name.input, state.stream) or 0) > state.whole_to_s:
                    storage.remove(file_path(state.output, dataset, day, name))
                    removed += 1
    return removed


def _shorten(state: StreamState, row: dict[str, Any]) -> None:
    """Writes a quiet span's mark anew, as it was when the last whole window ended."""
    window = Window(state.stream, int(row["window_begin"].timestamp()), state.whole_to_s)
    row |= {"input": window.name, "window_end": datetime.fromtimestamp(window.end_s, UTC)}
    table = pa.Table.from_pylist([row], schema=load_schema(LEDGER).arrow)
    path = file_path(state.output, LEDGER, window.mark_day, FileName(window.name, row["bucket"]))
    storage.write_atomic(path, parquet_bytes(LEDGER, table, None))


def _marks(
    output: str, stream: str, listing: Listing, days: list[date], after_s: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    for day, name, end_s in mark_names(stream, listing, days, after_s):
        path = file_path(output, LEDGER, day, name)
        if (row := read_row(path)) is not None:
            yield end_s, row


def freshness_s(row: dict[str, Any]) -> float:
    """Seconds from a window's end to when its files were whole."""
    span: timedelta = row["published_at"] - row["window_end"]
    return span.total_seconds()
