"""Pieces that wait on a disk: what comes back is what was put, and its place says nothing of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.facts import fact, sealed_batch
from transforms.core.keys import keyring
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.shuffle.pieces import PieceBuilder, open_pieces
from transforms.core.shuffle.spill import Spill, Spilled
from transforms.core.storage.scratch import scratch_folder


@given(st.lists(st.tuples(st.integers(0, 2), st.binary(min_size=1, max_size=200))))
def test_every_piece_comes_back_once(tmp_path_factory: pytest.TempPathFactory, put: list[tuple[int, bytes]]) -> None:
    with scratch_folder(str(tmp_path_factory.mktemp("spill") / "here")) as folder:
        writers = [Spill(folder) for _ in range(3)]
        places = [writers[number].put(piece) for number, piece in put]
        for writer in writers:
            writer.close()
        spilled = Spilled(folder, [*places, b""])
        for _ in range(2):
            assert sorted(spilled) == sorted(piece for _, piece in put)


def test_nothing_is_made_where_nothing_is_put(tmp_path: Path) -> None:
    Spill(str(tmp_path)).close()
    assert not list(tmp_path.iterdir())
    assert list(Spilled(str(tmp_path), [b""])) == []


def test_a_place_takes_few_bytes_and_holds_nothing_of_the_piece(tmp_path: Path) -> None:
    spill = Spill(str(tmp_path))
    place = spill.put(b"secret" * 100_000)
    assert len(place) < 40
    assert b"secret" not in place


def test_pieces_on_the_disk_open_with_the_ring_alone(tmp_path: Path, ring: keyring.KeyRing) -> None:
    sealer = step_keys_of(ring).sealer()
    batches = [sealed_batch("displays", [fact("displays", n, n)[1]], slot=n % 2) for n in range(3)]
    builder = PieceBuilder(sealer, 2)
    spill, places = Spill(str(tmp_path)), {0: [], 1: []}
    for bucket, piece in [*(piece for batch in batches for piece in builder.add(batch)), *builder.finish()]:
        places[bucket].append(spill.put(piece))
    rows = [open_pieces(sealer, b, Spilled(str(tmp_path), p)) for b, p in places.items()]
    assert [tables["displays"].num_rows for tables in rows] == [2, 1]
