"""How far a stream's output is whole: found in the ledger, kept beside it, so that a start reads little.

The file `_stream-<digest>.json` says up to which boundary every window is whole
and where the source is read on from. It follows from the ledger's marks and is
made anew from them where it is missing, but for a stream of which no window is
whole yet: then it alone says where the stream begins.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
import pyarrow as pa

from schemas.errors import StorageRefused, UnbalancedBooks
from schemas.registry import load as load_schema
from transforms.core import storage
from transforms.core.keys.proofs import RowProof
from transforms.core.output.layout import DATA_DATASETS, LEDGER, DataFile, FileName, Listing, Output
from transforms.core.output.ledger import is_quiet, mark_files, read_row
from transforms.core.output.parquet import parquet_bytes
from transforms.core.shuffle.windows import Window, window_end_s
from transforms.core.topic_identity import TopicIdentity

_STATE_FILE = re.compile(r"_stream-([0-9a-f]+)\.json")


@dataclass
class StreamState:
    """Every window up to `whole_to_s` is whole; `positions` say where each partition or file is read on from.

    Of a topic, `identity` says which one it is; `generation` is not empty where it was made anew, and then
    stands in the names of its partitions. `gaps` are spans of partitions that were declared lost, from
    the position on up to what was left; they go once a window has told of them.
    """

    output: Output
    stream: str
    whole_to_s: int
    positions: dict[str, int] = field(default_factory=dict)
    identity: TopicIdentity = field(default_factory=TopicIdentity)
    generation: str = ""
    gaps: dict[str, int] = field(default_factory=dict)

    def save(self) -> None:
        """Writes the file."""
        facts = {
            "version": 1,
            "whole_to_s": self.whole_to_s,
            "positions": self.positions,
            **self.identity._asdict(),
            "generation": self.generation,
            "gaps": self.gaps,
        }
        self.output.write(_path(self.output, self.stream), (json.dumps(facts) + "\n").encode())

    def lost(self, taken: Mapping[str, tuple[int, int]]) -> dict[str, int]:
        """How many messages of what was taken, begin and end by partition, are declared lost."""
        spans = ((part, self.positions.get(part, 0), end) for part, end in self.gaps.items() if part in taken)
        found = {part: min(end, taken[part][1]) - max(begin, taken[part][0]) for part, begin, end in spans}
        return {part: count for part, count in found.items() if count > 0}


def _path(output: Output, stream: str) -> str:
    return output.beside(state_path(stream))


def state_path(stream: str) -> str:
    """The path in its output of the file that says how far a stream is whole."""
    return f"_stream-{stream}.json"


def streams_of(output: Output) -> list[str]:
    """The streams of which an output keeps how far they are whole, by their digests, sorted."""
    names = storage.list_sizes(output.path)  # hidden ones included
    return [found[1] for name in names if (found := _STATE_FILE.fullmatch(name))]


def load(output: Output, stream: str) -> StreamState | None:
    """What the file says, older versions' included; None where there is none. Raises StorageUnavailable."""
    path = _path(output, stream)
    if not storage.exists(path):
        return None
    try:
        kept = _FILE.decode(storage.read_bytes(path))
    except msgspec.MsgspecError:
        raise StorageRefused(
            f"{path} is damaged; remove it, and it is made anew from the ledger at the next start"
        ) from None
    identity = TopicIdentity(kept.cluster_id, kept.topic_id)
    return StreamState(output, stream, kept.whole_to_s, kept.positions, identity, kept.generation, kept.gaps)


_Position = Annotated[int, msgspec.Meta(ge=0)]


class _File(msgspec.Struct):
    whole_to_s: _Position
    positions: dict[str, _Position]
    cluster_id: str | None = None
    topic_id: str | None = None
    generation: str = ""
    gaps: dict[str, _Position] = {}


_FILE = msgspec.json.Decoder(_File)


def recover(output: Output, stream: str) -> StreamState | None:
    """The state from the ledger alone, as it was before the first window; None where the stream left no mark."""
    rows = [row for _, _, row in _marks(stream, output.listing(), -1)]
    if not rows:
        return None
    first = min(int(row["window_begin"].timestamp()) for row in rows)
    return StreamState(output, stream, first)


def advance(state: StreamState, before: Callable[[], bool] = lambda: True) -> list[dict[str, Any]]:
    """Takes in the windows that became whole; returns their marks, by end and bucket.

    A window is whole when every bucket has marked it, of those that the job had then. `before` is asked when
    there are some; they wait where it says no. Raises UnbalancedBooks
    where what the buckets wrote is not what the source read, or where the source
    did not read on from where the window before ended; the state then stays
    before that window, and the next start reads it again.
    """
    listing = state.output.listing()
    whole_to_s = _whole_to_s(list(mark_files(state.stream, listing, state.whole_to_s)))
    if whole_to_s is None or not before():
        return []
    found = [(end_s, row) for _, end_s, row in _marks(state.stream, listing, state.whole_to_s) if end_s <= whole_to_s]
    rows = [row for _, row in sorted(found, key=lambda mark: (mark[0], mark[1]["bucket"]))]
    positions = _checked(state, rows)
    state.whole_to_s, state.positions = whole_to_s, positions
    state.gaps = {part: end for part, end in state.gaps.items() if positions.get(part, 0) < end}
    state.save()
    return rows


def _whole_to_s(marks: list[tuple[DataFile, int]]) -> int | None:
    """Up to where marks of files and their ends say that windows are whole; None where none of them is.

    A job that is started again may have another number of buckets. It then goes on where windows of the former number
    were whole, so what is whole by the marks of any number of buckets is.
    """
    ends: dict[int | None, dict[int, int]] = defaultdict(dict)
    for file, end_s in marks:
        of_job = ends[file.name.buckets]
        of_job[file.name.bucket] = max(end_s, of_job.get(file.name.bucket, 0))
    whole = [min(of_job.values()) for buckets, of_job in ends.items() if len(of_job) == (buckets or _named(marks))]
    return max(whole, default=None)


def _named(marks: list[tuple[DataFile, int]]) -> int:
    """The number of buckets of marks whose names do not say it, as older versions wrote them."""
    row = read_row(next(file.path for file, _ in marks if file.name.buckets is None))
    return row["buckets"] if row is not None else 0


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
        begins, lost = dict(row["positions_begin"] or ()), dict(row.get("lost_messages") or ())
        for part, end in row["positions_end"] or ():
            if lost.get(part, 0) > end - begins[part]:
                raise UnbalancedBooks(
                    f"window to {row['window_end']:%Y-%m-%dT%H:%M:%SZ}: more messages of {part} are told lost than its "
                    "span holds; start again to read it again"
                )
            if positions.get(part, begins[part]) != begins[part]:
                raise UnbalancedBooks(
                    f"window to {row['window_end']:%Y-%m-%dT%H:%M:%SZ}: {part} was read from {begins[part]} on, "
                    f"the window before ended at {positions[part]}; start again to read it again"
                )
            positions[part] = end
    return positions


def remove_unfinished(state: StreamState, proof: RowProof | None = None) -> int:
    """Removes files of windows that are not whole, marks first; returns how many. They are written again.

    What the mark of a quiet span says holds for each part of it: of one that reaches beyond the last
    whole window what lies before stays, with the proof of the row as it is then.
    """
    removed = 0
    listing = state.output.listing()
    for file, _, row in _marks(state.stream, listing, state.whole_to_s):
        if is_quiet(row) and row["window_begin"].timestamp() < state.whole_to_s:
            _shorten(state, row, file.name.buckets, proof)
    for file in listing.files(LEDGER, *DATA_DATASETS):
        if (window_end_s(file.name.input, state.stream) or 0) > state.whole_to_s:
            storage.remove(file.path)
            removed += 1
    return removed


def _shorten(state: StreamState, row: dict[str, Any], buckets: int | None, proof: RowProof | None) -> None:
    """Writes a quiet span's mark anew, as it was when the last whole window ended."""
    window = Window(state.stream, int(row["window_begin"].timestamp()), state.whole_to_s)
    row |= {"input": window.name, "window_end": datetime.fromtimestamp(window.end_s, UTC)}
    table = pa.Table.from_pylist([row], schema=load_schema(LEDGER).arrow)
    if proof is not None:
        row["proof"] = proof.of(table.to_pylist()[0])
        table = pa.Table.from_pylist([row], schema=load_schema(LEDGER).arrow)
    path = state.output.file(LEDGER, window.mark_day, FileName(window.name, row["bucket"], buckets))
    state.output.write(path, parquet_bytes(LEDGER, table, None))


def _marks(stream: str, listing: Listing, after_s: int) -> Iterator[tuple[DataFile, int, dict[str, Any]]]:
    for file, end_s in mark_files(stream, listing, after_s):
        if (row := read_row(file.path)) is not None:
            yield file, end_s, row


def freshness_s(row: dict[str, Any]) -> float:
    """Seconds from a window's end to when its files were whole."""
    span: timedelta = row["published_at"] - row["window_end"]
    return span.total_seconds()
