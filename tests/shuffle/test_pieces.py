"""What is sealed by one side is what the other side opens, and nothing else opens."""

import os
from collections import defaultdict
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import KeyUnavailable
from transforms.core.batches import CLOCK, COUNT_SCHEMA, COUNTS, RANGES, RANGES_SCHEMA, TAKEN, TAKEN_SCHEMA, EventBatch
from transforms.core.carried import SLOT
from transforms.core.keys.seal import PieceSealer
from transforms.core.shuffle import pieces as pieces_module
from transforms.core.shuffle.pieces import (
    PieceBuilder,
    Sealed,
    open_pieces,
    quiet_piece,
    quiet_until_s,
    sealed_schema,
    split_by_bucket,
)
from transforms.core.times import TIMESTAMP

BUCKETS = 3
SEALER = PieceSealer(b"k" * 32)
SCHEMAS = {TAKEN: TAKEN_SCHEMA, RANGES: RANGES_SCHEMA, COUNTS: COUNT_SCHEMA}
EVENT_SCHEMA = sealed_schema("displays")

TEXTS = st.text(max_size=5)
NUMBERS = st.integers(0, 2**40)
SLOT_NUMBERS = st.integers(0, 2 * BUCKETS)
ROWS = {
    TAKEN: st.fixed_dictionaries({SLOT: SLOT_NUMBERS, "part": TEXTS, "begin": NUMBERS, "end": NUMBERS}),
    COUNTS: st.fixed_dictionaries({SLOT: SLOT_NUMBERS, "days": st.integers(0, 9), "kind": TEXTS, "key": TEXTS, "count": NUMBERS}),
    "displays": st.fixed_dictionaries(
        {SLOT: SLOT_NUMBERS, "event_name": TEXTS, "received_at": st.one_of(st.none(), NUMBERS), "language": st.one_of(st.none(), TEXTS),
         "event_id": st.binary(min_size=16, max_size=16)}
    ),
}  # fmt: skip
BATCHES = st.lists(
    st.sampled_from(sorted(ROWS)).flatmap(lambda kind: st.tuples(st.just(kind), st.lists(ROWS[kind], max_size=5))),
    max_size=6,
)


def batch_of(kind: str, rows: list[dict[str, Any]]) -> EventBatch:
    return EventBatch(kind, pa.RecordBatch.from_pylist(rows, schema=SCHEMAS.get(kind, EVENT_SCHEMA)))


def sealed(batches: list[EventBatch], sealer: PieceSealer = SEALER) -> list[Sealed]:
    builder = PieceBuilder(sealer, BUCKETS)
    return [piece for batch in batches for piece in builder.add(batch)] + list(builder.finish())


def opened(made: list[Sealed]) -> dict[int, dict[str, list[dict[str, Any]]]]:
    of_bucket: dict[int, list[bytes]] = defaultdict(list)
    for bucket, piece in made:
        of_bucket[bucket].append(piece)
    tables = {bucket: open_pieces(SEALER, bucket, found) for bucket, found in of_bucket.items()}
    return {bucket: {kind: t.to_pylist() for kind, t in found.items()} for bucket, found in tables.items()}


@pytest.mark.parametrize("piece_bytes", [1, 300, pieces_module.PIECE_BYTES])
@given(batches=BATCHES)
def test_any_batches_come_back_by_bucket_and_in_order(piece_bytes: int, batches: list[Any]) -> None:
    told = [batch_of(kind, rows) for kind, rows in batches]
    expected: dict[int, dict[str, list]] = defaultdict(lambda: defaultdict(list))
    for batch in told:
        for row in batch.batch.to_pylist():
            expected[row[SLOT] % BUCKETS][batch.kind].append(row)
    received = [row["received_at"] for kind, rows in batches if kind == "displays" for row in rows]
    clock = max((time for time in received if time is not None), default=None)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pieces_module, "PIECE_BYTES", piece_bytes)
        found = opened(sealed(told))
    clocks = {bucket: kinds.pop(CLOCK, None) for bucket, kinds in found.items()}
    assert {b: kinds for b, kinds in found.items() if kinds} == expected
    if clock is not None:
        as_time: datetime = pa.scalar(clock, TIMESTAMP).as_py()
        assert clocks == {key: [{"received_at": as_time}] for key in range(BUCKETS)}
    else:
        assert not any(clocks.values())


def test_a_piece_is_sealed_once_its_bucket_has_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bucket's rows wait for those of another one, and the rows of one batch are never in two pieces."""
    monkeypatch.setattr(pieces_module, "PIECE_BYTES", 2000)
    builder = PieceBuilder(SEALER, BUCKETS)
    sizes: list[tuple[int, int]] = []
    for number in range(40):
        rows = [{SLOT: number % 4 and 1, "part": "x" * 100, "begin": n, "end": n} for n in range(3)]
        for bucket, piece in builder.add(batch_of(TAKEN, rows)):
            sizes.append((bucket, open_pieces(SEALER, bucket, [piece])[TAKEN].nbytes))
    assert {bucket for bucket, _ in sizes} == {0, 1}
    assert all(2000 <= size <= 2000 + 500 for _, size in sizes)
    left = [(bucket, open_pieces(SEALER, bucket, [piece])[TAKEN].nbytes) for bucket, piece in builder.finish()]
    assert all(size < 2000 for _, size in left)


def test_all_buckets_together_wait_for_no_more_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many buckets there are: the largest piece leaves first, before it is full."""
    monkeypatch.setattr(pieces_module, "WAITING_BYTES", 3000)
    builder, waiting, sealed_early = PieceBuilder(SEALER, 50), [0] * 50, []
    for number in range(60):
        bucket = number % 3 and number // 2 % 50
        rows = [{SLOT: bucket, "part": "x" * 100, "begin": n, "end": n} for n in range(2)]
        waiting[bucket] += 2
        for left, piece in builder.add(batch_of(TAKEN, rows)):
            assert waiting[left] == max(waiting) == open_pieces(SEALER, left, [piece])[TAKEN].num_rows
            waiting[left] = 0
            sealed_early.append(left)
        assert sum(waiting) * 116 <= 3000 + 300
    assert sealed_early


@given(st.lists(SLOT_NUMBERS, max_size=9), st.integers(0, 2), st.integers(1, 9))
def test_a_split_keeps_rows_and_their_order(slots: list[int], padding: int, buckets: int) -> None:
    rows = [{SLOT: s, "part": str(n), "begin": 0, "end": 0} for n, s in enumerate([0] * padding + slots)]
    parts = dict(split_by_bucket(batch_of(TAKEN, rows).batch.slice(padding), buckets))
    assert {b: part["part"].to_pylist() for b, part in parts.items()} == {
        b: [str(n + padding) for n, s in enumerate(slots) if s % buckets == b] for b in {s % buckets for s in slots}
    }


def one_piece() -> bytes:
    made = sealed([batch_of(TAKEN, [{SLOT: 1, "part": "p", "begin": 0, "end": 9}])])
    ((bucket, piece),) = made
    assert bucket == 1
    return piece


@pytest.mark.parametrize("place", ["nonce", "first", "middle", "tag"])
def test_one_flipped_bit_is_refused(place: str) -> None:
    piece = bytearray(one_piece())
    piece[{"nonce": 0, "first": 12, "middle": len(piece) // 2, "tag": -1}[place]] ^= 1
    with pytest.raises(KeyUnavailable):
        open_pieces(SEALER, 1, [bytes(piece)])


def test_a_piece_of_another_bucket_ring_or_contract_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = one_piece()
    assert open_pieces(SEALER, 1, [piece])[TAKEN].num_rows == 1
    with pytest.raises(KeyUnavailable):
        open_pieces(SEALER, 2, [piece])
    with pytest.raises(KeyUnavailable):
        open_pieces(PieceSealer(os.urandom(32)), 1, [piece])
    monkeypatch.setattr(pieces_module, "contract_digest", lambda: "another")
    with pytest.raises(KeyUnavailable):
        open_pieces(SEALER, 1, [piece])


@pytest.mark.parametrize("length", [1, 7, 8, 12, 27])
def test_what_is_too_short_to_be_a_piece_is_refused_in_one_line(length: int) -> None:
    with pytest.raises(KeyUnavailable):
        open_pieces(SEALER, 1, [one_piece()[:length]])


def test_a_piece_is_never_taken_for_a_quiet_span() -> None:
    smallest = SEALER.seal(b"", b"")
    assert quiet_until_s(smallest) is None
    assert quiet_until_s(b"") is None


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_quiet_span_says_its_end(until_s: int) -> None:
    assert quiet_until_s(quiet_piece(until_s)) == until_s


def test_the_same_rows_are_never_the_same_bytes() -> None:
    assert one_piece() != one_piece()
