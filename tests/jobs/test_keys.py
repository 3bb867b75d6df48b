"""Keys: made, listed without being shown, extended, destroyed for ever."""

import stat
from pathlib import Path

import pytest

from pipelines import keys
from schemas.errors import InvalidOptions, KeyUnavailable
from transforms.core.keys import keyring, private_keys
from transforms.core.keys.documents import key_text
from transforms.core.keys.open_ring import open_pseudonyms
from transforms.core.keys.roles import ROLES
from transforms.core.keys.step_keys import step_keys_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.create(str(tmp_path / "ring"), "2026-11", 3)
    return tmp_path / "ring"


def test_create_makes_months_and_private_files_of_their_own(folder: Path) -> None:
    ring = keyring.load(str(folder))
    assert sorted(ring.epochs) == ["2026-11", "2026-12", "2027-01"]
    text = (folder / "ring.json").read_text()
    for role in ROLES:
        path = folder / "private" / f"{role}.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for key_id, private in private_keys.load_private(str(path)).keys.items():
            parts = step_keys_of(ring)
            sealed = parts.quarantine.seal(b"code") if role == "operators" else parts.roles.seal(role, key_id, b"code")
            assert private_keys.load_private(str(path)).open(key_id, sealed) == b"code"
            assert key_text(private) not in text
    assert stat.S_IMODE((folder / "ring.json").stat().st_mode) == 0o600


def test_create_does_not_overwrite(folder: Path) -> None:
    with pytest.raises(InvalidOptions, match="there is a key ring already"):
        keys.create(str(folder), "2026-01", 1)


def test_list_shows_no_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys.main(["list", f"--key_ring={folder}"])
    shown = capsys.readouterr().out
    ring = keyring.load(str(folder))
    assert "epochs 2026-11 to 2027-01 (3)" in shown
    for secret in (ring.correlation, ring.transport, *ring.epochs.values()):
        assert secret.hex() not in shown
        assert key_text(secret) not in shown


def test_rotate_adds_what_is_missing_and_changes_nothing_else(folder: Path) -> None:
    before = keyring.load(str(folder))
    assert keys.rotate(str(folder), f"{folder}/private", "2027-03") == ["2027-02", "2027-03"]
    assert keys.rotate(str(folder), f"{folder}/private", "2027-03") == []
    assert keys.rotate(str(folder), f"{folder}/private", "2026-09") == ["2026-09", "2026-10"]
    after = keyring.load(str(folder))
    assert {m: after.epochs[m] for m in before.epochs} == before.epochs
    assert after.check_value == before.check_value
    assert sorted(private_keys.load_private(f"{folder}/private/prompts.json").keys) == sorted(after.epochs)


def test_destroy_asks_first_and_then_is_for_ever(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys.main(["destroy", f"--key_ring={folder}", "--month=2026-12"])
    assert "would destroy" in capsys.readouterr().out
    open_pseudonyms(str(folder)).pseudonymizer("user", "2026-12")
    keys.main(["destroy", f"--key_ring={folder}", "--month=2026-12", "--confirm=2026-12"])
    with pytest.raises(KeyUnavailable, match="the key of epoch 2026-12 is gone"):
        open_pseudonyms(str(folder)).pseudonymizer("user", "2026-12")
    assert "2026-12" not in private_keys.load_private(f"{folder}/private/prompts.json").keys
    assert keys.rotate(str(folder), f"{folder}/private", "2027-01") == []
    with pytest.raises(InvalidOptions, match="--month 2026-12"):
        keys.destroy(str(folder), f"{folder}/private", "2026-12")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"correlation": 7}', '{"correlation": "!"}'])
def test_what_is_no_ring_is_a_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "ring.json").write_text(content)
    with pytest.raises(KeyUnavailable, match="is not a key ring"):
        keyring.load(str(tmp_path))


@pytest.mark.parametrize("month", ["2026", "2026-13", "26-01", "2026-1"])
def test_months_are_checked(tmp_path: Path, month: str) -> None:
    with pytest.raises((InvalidOptions, KeyUnavailable), match="YYYY-MM"):
        keys.main(["create", f"--output={tmp_path}/ring", f"--start={month}"])
