"""Sealed pieces of a portion -> what lands of it, and what must not open."""

from pathlib import Path

import pytest

from tests.conftest import KEY_RING, read_rows
from tests.support.after_shuffle import run, sealed
from tests.support.facts import fact
from transforms.core.keys import keyring
from transforms.core.keys.pseudonyms import deciphered
from transforms.core.keys.seal import PieceSealer
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.shuffle.windows import Portion

FACTS = [fact("displays", 1, 0), fact("displays", 2, 1), fact("displays", 1, 2)]


def test_copies_within_and_of_other_inputs_do_not_land(tmp_path: Path) -> None:
    first, _ = run(tmp_path, [(Portion("0a" * 8, 0), sealed(FACTS)[0])])
    assert sum(books.landed for books in first[0].counts.values()) == 2
    assert sum(books.duplicate for books in first[0].counts.values()) == 1
    again, _ = run(tmp_path, [(Portion("0b" * 8, 0), sealed([*FACTS, fact("displays", 3, 0)])[0])])
    assert sum(books.landed for books in again[0].counts.values()) == 1
    landed = {row["event_id"] for row in read_rows(tmp_path, "displays")}
    key = step_keys_of(keyring.load(KEY_RING)).landing.id_keys["2026-03"]["event"]
    assert {deciphered(key, bytes.fromhex(event_id)).hex()[-1] for event_id in landed} == {"1", "2", "3"}


def test_the_empty_pieces_of_the_grouping_are_passed_over(tmp_path: Path) -> None:
    curated, _ = run(tmp_path, [(Portion("0a" * 8, 0), [b"", *sealed(FACTS)[0], b""])])
    assert sum(books.landed for books in curated[0].counts.values()) == 2
    empty, _ = run(tmp_path / "empty", [(Portion("0a" * 8, 0), [b""])])
    assert not empty[0].tables


def test_a_foreign_piece_stops_the_run_and_shows_nothing(tmp_path: Path) -> None:
    pieces = sealed(FACTS)[0]
    foreign = PieceSealer(b"f" * 32).seal(b"secret payload", b"")
    for portion, told in ((Portion("0a" * 8, 1), pieces), (Portion("0a" * 8, 0), [*pieces, foreign])):
        with pytest.raises(Exception, match="does not open with this key ring") as stopped:
            run(tmp_path, [(portion, told)])
        assert "secret" not in str(stopped.value)
    assert not list(tmp_path.glob("*/*/*.parquet"))
