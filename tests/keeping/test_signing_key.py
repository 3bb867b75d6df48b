"""The signing key is renewed by name, once, and what the ring says of the old one only gets worse."""

import shutil
from pathlib import Path

import pytest

from pipelines import keys
from pipelines.keeping.signing_key import renew
from schemas.errors import InvalidOptions
from tests.conftest import DATA
from tests.support.killed_writes import Killed, killed_after
from tests.support.wrapping import age_identity
from transforms.core.keys import keyring
from transforms.core.keys.public_key import read_public_key, shown_key
from transforms.core.keys.wrapping_keys import VARIABLE


@pytest.fixture
def ring(tmp_path: Path) -> str:
    keys.create(f"{tmp_path}/ring", "2026-11", 2)
    return f"{tmp_path}/ring"


def key_now(ring: str) -> str:
    signer = keyring.load(ring).signer
    assert signer
    return shown_key(signer.public_key)


def command(ring: str, reason: str = "routine", *more: str) -> list[str]:
    return ["renew_signing", f"--key_ring={ring}", f"--reason={reason}", f"--public_key={ring}.pub", *more]


def test_without_the_keys_name_nothing_is_changed(ring: str, capsys: pytest.CaptureFixture[str]) -> None:
    old, before = key_now(ring), Path(ring, "ring.json").read_bytes()
    keys.main(command(ring))
    assert f"to do it add --confirm {old}" in capsys.readouterr().out
    with pytest.raises(InvalidOptions, match=f"--confirm 0000: the ring signs with the key {old}"):
        keys.main(command(ring, "leaked", "--confirm=0000"))
    assert Path(ring, "ring.json").read_bytes() == before
    assert not Path(f"{ring}.pub").exists()


def test_the_ring_signs_with_another_key_and_tells_of_the_old_one(
    ring: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old, before = key_now(ring), keyring.load(ring)
    keys.main(command(ring, "routine", f"--confirm={old}"))
    after = keyring.load(ring)
    assert key_now(ring) != old
    assert after.edition == before.edition + 1
    assert [shown_key(key.public_key) for key in after.retired] == [old]
    assert after.entries == {**before.entries, "signing": after.signing}
    assert shown_key(read_public_key(f"{ring}.pub")) == key_now(ring)
    capsys.readouterr()
    keys.main(["list", f"--key_ring={ring}"])
    told = capsys.readouterr().out
    assert f"signing key {key_now(ring)}\n" in told
    assert f"signing key {old} was retired on " in told
    assert Path(f"{ring}.pub").read_text().strip() in told


def test_the_same_command_again_renews_nothing_and_a_leak_that_is_heard_of_later_is_told(ring: str) -> None:
    old = key_now(ring)
    keys.main(command(ring, "routine", f"--confirm={old}"))
    new, data = key_now(ring), Path(ring, "ring.json").read_bytes()
    keys.main(command(ring, "routine", f"--confirm={old}"))
    assert Path(ring, "ring.json").read_bytes() == data
    keys.main(command(ring, "leaked", f"--confirm={old}"))
    (retired,) = keyring.load(ring).retired
    assert (retired.reason, key_now(ring)) == ("leaked", new)
    with pytest.raises(InvalidOptions, match="that is not taken back"):
        keys.main(command(ring, "routine", f"--confirm={old}"))


def test_a_run_that_is_killed_at_any_write_is_finished_by_the_same_command(
    ring: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = key_now(ring)
    for writes in (0, 1):
        at = str(shutil.copytree(ring, tmp_path / f"{writes}"))
        with killed_after(monkeypatch, writes), pytest.raises(Killed):
            renew(at, old, "leaked", f"{at}.pub")
        keys.main(command(at, "leaked", f"--confirm={old}"))
        assert [shown_key(key.public_key) for key in keyring.load(at).retired] == [old]
        assert shown_key(read_public_key(f"{at}.pub")) == key_now(at)


def test_a_ring_of_version_1_has_no_key_to_renew(tmp_path: Path) -> None:
    ring = Path(shutil.copytree(DATA / "key_ring_1", tmp_path / "ring"))
    (ring / "ring.json").chmod(0o600)
    with pytest.raises(InvalidOptions, match="of version 1, it has no signing key; keys rotate gives it one"):
        keys.main(command(str(ring)))


def test_a_wrapped_ring_stays_wrapped(ring: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = age_identity(tmp_path / "age.txt")
    monkeypatch.setenv(VARIABLE, "")
    keys.main(["wrap", f"--key_ring={ring}", f"--with={identity}"])
    monkeypatch.setenv(VARIABLE, identity)
    old = key_now(ring)
    keys.main(command(ring, "leaked", f"--confirm={old}"))
    assert b"wrapped_key" in Path(ring, "ring.json").read_bytes()
    assert [shown_key(key.public_key) for key in keyring.load(ring).retired] == [old]
