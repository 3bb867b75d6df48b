"""Sealed pieces: the only form in which events cross a shuffle.

A piece holds batches of several kinds for one bucket, as Arrow IPC, compressed
and sealed as a whole. It is sealed under its bucket and the digest of the
contract: both sides then have the same schemas, which need not travel with it.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import contract_digest, load
from transforms.core.batches import (
    CLOCK,
    CLOCK_SCHEMA,
    COUNT_SCHEMA,
    COUNTS,
    PASSING,
    RANGES,
    RANGES_SCHEMA,
    TAKEN,
    TAKEN_SCHEMA,
    EventBatch,
)
from transforms.core.carried import SLOT
from transforms.core.keys.seal import PieceSealer

PIECE_BYTES = 4 * 1024 * 1024
"""Bytes of a bucket's rows in memory at which its piece is sealed. With pieces of a quarter of a megabyte the whole job
takes 17 % more CPU time, with those of one 6 % more."""

WAITING_BYTES = 64 * 1024 * 1024
"""Where the rows of all buckets take so much, the largest piece is sealed before it is full: there may be many."""

Sealed = tuple[int, bytes]
"""A bucket and one sealed piece for it."""

_QUIET = struct.Struct(">q")
"""The end of a quiet span in seconds since 1970. Eight bytes are shorter than any sealed piece, so none looks alike."""

_FRAMES = msgspec.msgpack.Decoder(list[tuple[str, bytes]])


def quiet_piece(until_s: int) -> bytes:
    """Stands in for a sealed piece: nothing came from the element's timestamp up to `until_s` (since 1970)."""
    return _QUIET.pack(until_s)


def quiet_until_s(piece: bytes) -> int | None:
    """The end of a quiet span, as `quiet_piece` was told it; None where the piece is a sealed one."""
    return _QUIET.unpack(piece)[0] if len(piece) == _QUIET.size else None


def sealed_schema(kind: str) -> pa.Schema:
    """The columns of a kind of batch as they travel."""
    if kind == CLOCK:
        return CLOCK_SCHEMA
    for passing, schema in ((COUNTS, COUNT_SCHEMA), (TAKEN, TAKEN_SCHEMA), (RANGES, RANGES_SCHEMA)):
        if kind == passing:
            return schema
    return load(kind).sealed_arrow


def _context(bucket: int) -> bytes:
    return f"{bucket}|{contract_digest()}".encode()


def split_by_bucket(batch: pa.RecordBatch, buckets: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of each of so many buckets, in their order."""
    of_rows = batch.column(SLOT).to_numpy() % buckets
    # One sort and one copy of the rows, then slices of it: a filter for each bucket would read all rows each time.
    order = np.argsort(of_rows, kind="stable")
    ordered = batch.take(pa.array(order))
    present, starts = np.unique(of_rows[order], return_index=True)
    ends = np.r_[starts, len(order)][1:]
    for bucket, start, end in zip(present, starts, ends, strict=True):
        yield int(bucket), ordered.slice(int(start), int(end - start))


class PieceBuilder:
    """Gathers batches by bucket, and seals a bucket's piece when it is large enough."""

    def __init__(self, sealer: PieceSealer, buckets: int) -> None:
        self._sealer = sealer
        self._buckets = buckets
        self._clock: datetime | None = None
        self._waiting: dict[int, dict[str, list[pa.RecordBatch]]] = defaultdict(lambda: defaultdict(list))
        self._bytes: dict[int, int] = defaultdict(int)

    def add(self, batch: EventBatch) -> Iterator[Sealed]:
        """Adds a protected batch that has a `slot` column; yields the pieces that are full by that.

        The batch is added only as far as the pieces are asked for.
        """
        if batch.kind not in PASSING:
            self._advance(batch.batch.column("received_at"))
        # An estimate is enough to seal in time: each row counts as an average one.
        row_bytes = batch.batch.nbytes / max(batch.batch.num_rows, 1)
        for bucket, rows in split_by_bucket(batch.batch, self._buckets):
            self._waiting[bucket][batch.kind].append(rows)
            self._bytes[bucket] += int(row_bytes * rows.num_rows)
            if self._bytes[bucket] >= PIECE_BYTES:
                yield self._seal(bucket)
        excess_bytes = sum(self._bytes.values()) - WAITING_BYTES
        while excess_bytes > 0:
            largest = max(self._bytes, key=self._bytes.__getitem__)
            excess_bytes -= self._bytes[largest]
            yield self._seal(largest)

    def finish(self) -> Iterator[Sealed]:
        """Seals what is left, and tells every bucket the latest receive time of all of them."""
        # A bucket closes suggestions by the clock of the whole input, also if none of its own rows came.
        if self._clock is not None:
            clock = pa.RecordBatch.from_arrays(
                [pa.array([self._clock], CLOCK_SCHEMA.field(0).type)], schema=CLOCK_SCHEMA
            )
            for bucket in range(self._buckets):
                self._waiting[bucket][CLOCK].append(clock)
        for bucket in sorted(self._waiting):
            yield self._seal(bucket)

    def _advance(self, received: pa.Array) -> None:
        latest = pc.max(received).as_py()
        if latest is not None and (self._clock is None or latest > self._clock):
            self._clock = latest

    def _seal(self, bucket: int) -> Sealed:
        self._bytes.pop(bucket, None)
        frames = [
            (kind, _one_batch(batches).serialize().to_pybytes()) for kind, batches in self._waiting.pop(bucket).items()
        ]
        return bucket, self._sealer.seal(msgspec.msgpack.encode(frames), _context(bucket))


def _one_batch(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def open_pieces(sealer: PieceSealer, bucket: int, pieces: Iterable[bytes]) -> dict[str, pa.Table]:
    """All rows of a bucket by kind, in the order of the pieces.

    Raises KeyUnavailable on a piece of another key ring, bucket or contract, or that was altered.
    """
    batches: dict[str, list[pa.RecordBatch]] = defaultdict(list)
    for piece in pieces:
        for kind, data in _FRAMES.decode(sealer.unseal(piece, _context(bucket))):
            batches[kind].append(pa.ipc.read_record_batch(pa.py_buffer(data), sealed_schema(kind)))
    return {kind: pa.Table.from_batches(found, sealed_schema(kind)) for kind, found in batches.items()}
