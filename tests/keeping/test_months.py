"""Months are made ahead, a killed rotation is made good by the same command, and the end is told in time."""

import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import keys
from pipelines.keeping import months, readers
from pipelines.keeping.months import months_from, months_warning, relative_month, spans
from schemas.errors import InvalidOptions, KeyUnavailable
from tests.conftest import DATA, PRIVATE
from tests.support.killed_writes import Killed, killed_after
from transforms.core.keys import keyring
from transforms.core.keys.open_ring import open_roles, open_signer
from transforms.core.keys.private_keys import PrivateKeys, load_private


def ring_of(*names: str) -> keyring.KeyRing:
    ring, _ = keyring.create()
    for month in names:
        ring.add_month(month)
    return ring


def test_rotate_makes_a_year_ahead_and_each_write_is_an_edition(tmp_path: Path) -> None:
    ring = f"{tmp_path}/ring"
    keys.create(ring, relative_month(0), 1)
    keys.main(["rotate", f"--key_ring={ring}"])
    after = keyring.load(ring)
    assert sorted(after.epochs) == [relative_month(n) for n in range(13)]
    assert after.edition == 2


def test_a_ring_of_version_1_is_lifted_with_its_keys_as_they_were(tmp_path: Path) -> None:
    shutil.copy(DATA / "key_ring_1" / "ring.json", tmp_path / "ring.json")
    shutil.copytree(PRIVATE, tmp_path / "private")
    for path in tmp_path.rglob("*.json"):
        path.chmod(0o600)
    old, private = keyring.load(str(tmp_path)), load_private(f"{tmp_path}/private/prompts.json")
    keys.rotate(str(tmp_path), f"{tmp_path}/private", "2027-12")
    new = keyring.load(str(tmp_path))
    assert {place: key for place, key in new.entries.items() if place != "signing"} == old.entries
    assert (old.edition, new.edition) == (0, 1)
    assert open_signer(str(tmp_path)) is not None
    lifted = load_private(f"{tmp_path}/private/prompts.json")
    assert lifted.keys == private.keys
    assert lifted.receipt_key is not None
    assert new.readers["prompts"]["prompts"].receipt_key is not None


@pytest.mark.parametrize("version", [1, 2])
def test_a_rotation_that_is_killed_at_any_write_is_made_good_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """Else a month would be sealed to keys that nobody holds."""
    keys.create(f"{tmp_path}/2", "2026-11", 2)
    if version == 1:
        (tmp_path / "1" / "private").mkdir(parents=True)
        shutil.copy(DATA / "key_ring_1" / "ring.json", tmp_path / "1" / "ring.json")
    for writes in count():
        ring = str(shutil.copytree(tmp_path / str(version), tmp_path / f"try-{writes}"))
        before = keyring.load(ring).epochs
        with killed_after(monkeypatch, writes) as was_killed, suppress(Killed):
            keys.rotate(ring, f"{ring}/private", "2028-01")
        keys.rotate(ring, f"{ring}/private", "2028-01")
        after, roles = keyring.load(ring), open_roles(ring)
        assert {month: after.epochs[month] for month in before} == before
        for role in ("prompts", "completions"):
            private = load_private(f"{ring}/private/{role}.json")
            for month in {*after.epochs} - {*before}:
                assert private.open(month, roles.seal(role, month, b"code")) == b"code"
        if not was_killed():
            assert writes == 3
            return


def test_a_file_of_another_holder_is_not_extended(tmp_path: Path) -> None:
    ring = f"{tmp_path}/ring"
    keys.create(ring, "2026-11", 1)
    shutil.copy(f"{ring}/private/prompts.json", f"{ring}/private/completions.json")
    before = Path(ring, "ring.json").read_bytes()
    with pytest.raises(KeyUnavailable, match="is the key file of prompts, not of completions"):
        keys.rotate(ring, f"{ring}/private", "2026-12")
    assert Path(ring, "ring.json").read_bytes() == before


@pytest.mark.parametrize(
    ("now", "is_told"),
    [("2026-11-30T23:59", False), ("2026-12-24T23:59", False), ("2026-12-25T00:00", True), ("2026-12-31T23:59", True),
     ("2027-01-01T00:00", False)],
)  # fmt: skip
def test_jobs_warn_a_week_before_the_last_month_ends(now: str, is_told: bool) -> None:
    told = months_warning(ring_of("2026-11", "2026-12"), "keys/", datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert told == (
        "warning: the key ring has no month after 2026-12, and events received from 2027-01-01 on will be put aside: "
        "python -m pipelines.keys rotate --key_ring keys/"
        if is_told
        else None
    )
    assert months_warning(ring_of(), "keys/", datetime.now(UTC)) is None


@given(st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)), st.integers(1, 30))
def test_the_warning_stands_for_seven_days_and_no_longer(now: datetime, count_of: int) -> None:
    ring, last = ring_of(), months_from("2024-01", count_of)[-1]
    ring.epochs = dict.fromkeys([last], b"")
    end = datetime.fromisoformat(f"{months_from(last, 2)[1]}-01")
    assert bool(months_warning(ring, "k", now.replace(tzinfo=UTC))) == (end - timedelta(days=7) <= now < end)


@given(st.sets(st.sampled_from(months_from("2025-06", 20))))
def test_spans_name_every_month_and_no_other(named: set[str]) -> None:
    told: set[str] = set()
    for part in spans([*named]).split(", "):
        if part != "no months":
            first, _, last = part.partition(" to ")
            every = months_from("2025-06", 20)
            told |= {m for m in every if first <= m <= (last or first)}
    assert told == named


def test_two_commands_at_once_do_not_undo_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one to write is refused, as it has not seen what the first one added."""
    ring = f"{tmp_path}/ring"
    keys.create(ring, "2026-11", 1)
    real = months.write_holder

    def meanwhile(path: str, held: PrivateKeys) -> None:
        monkeypatch.setattr(months, "write_holder", real)
        real(path, held)
        readers.add_reader(ring, "completions", "alice", "2026-11", f"{tmp_path}/alice.json")

    monkeypatch.setattr(months, "write_holder", meanwhile)
    with pytest.raises(InvalidOptions, match=r"ring.json was changed by another command meanwhile: run this one again"):
        keys.rotate(ring, f"{ring}/private", "2026-12")
    keys.rotate(ring, f"{ring}/private", "2026-12")
    after = keyring.load(ring)
    assert sorted(after.readers["completions"]["alice"].public_keys) == ["2026-11", "2026-12"]
