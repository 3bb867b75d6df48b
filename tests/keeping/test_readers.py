"""Readers come and go: each reads her months alone, and a role is never without one."""

import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from pipelines import keys
from pipelines.keeping.months import relative_month
from schemas.errors import InvalidOptions, KeyUnavailable
from tests.support.killed_writes import Killed, killed_after
from transforms.core.keys import keyring
from transforms.core.keys.open_ring import open_roles
from transforms.core.keys.private_keys import load_private

NOW, NEXT, LATER = (relative_month(n) for n in (0, 1, 2))


@pytest.fixture
def ring(tmp_path: Path) -> str:
    keys.create(f"{tmp_path}/ring", relative_month(-2), 5)
    return f"{tmp_path}/ring"


def add(ring: str, reader: str, path: str, *more: str) -> None:
    keys.main(
        ["add_reader", f"--key_ring={ring}", "--role=completions", f"--reader={reader}", f"--private_key={path}", *more]
    )


def remove(ring: str, reader: str, *more: str) -> None:
    keys.main(["remove_reader", f"--key_ring={ring}", "--role=completions", f"--reader={reader}", *more])


def test_a_reader_opens_what_is_sealed_to_her_from_her_month_on(ring: str, tmp_path: Path) -> None:
    path = f"{tmp_path}/hers/alice.json"
    add(ring, "alice", path)
    assert Path(path).stat().st_mode & 0o777 == 0o600
    alice, roles = load_private(path), open_roles(ring)
    assert sorted(alice.keys) == [NOW, NEXT, LATER]
    for month in alice.keys:
        assert alice.open(month, roles.seal("completions", month, b"code", "completions/alice")) == b"code"
    assert roles.holders("completions", relative_month(-1)) == ["completions"]


def test_a_reader_who_was_removed_is_not_sealed_to_and_list_says_so(
    ring: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(ring, "alice", f"{tmp_path}/alice.json", f"--since={relative_month(-1)}")
    add(ring, "bob", f"{tmp_path}/bob.json")
    remove(ring, "alice")
    remove(ring, "bob", f"--from={NOW}")
    roles = open_roles(ring)
    assert roles.holders("completions", NOW) == ["completions", "completions/alice"]
    assert roles.holders("completions", NEXT) == ["completions"]
    held = keyring.load(ring).public_keys["completions"]
    assert sorted(held["alice"]) == [relative_month(-1), NOW]
    assert sorted(held["bob"]) == [NOW]  # something may have been sealed to it before
    capsys.readouterr()
    keys.main(["list", f"--key_ring={ring}"])
    shown = capsys.readouterr().out
    assert f"role completions, reader completions: {relative_month(-2)} to {LATER}\n" in shown
    assert (
        f"role completions, reader alice: {relative_month(-1)} to {NOW}; removed: nothing is sealed to it from {NEXT} on"
        in shown
    )
    assert f"reader bob: {NOW}; removed: nothing is sealed to it from {NOW} on" in shown
    keys.rotate(ring, f"{ring}/private", relative_month(6))
    assert sorted(keyring.load(ring).public_keys["completions"]["alice"]) == [relative_month(-1), NOW]


def test_the_reader_who_bears_the_roles_name_may_go_when_another_is_there(ring: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match="nobody else reads it"):
        remove(ring, "completions")
    add(ring, "alice", f"{tmp_path}/alice.json", f"--since={LATER}")
    with pytest.raises(InvalidOptions, match="nobody else reads it"):
        remove(ring, "completions")
    remove(ring, "completions", f"--from={LATER}")
    assert open_roles(ring).holders("completions", LATER) == ["completions/alice"]
    keys.rotate(ring, f"{ring}/private", relative_month(4))
    assert open_roles(ring).holders("completions", relative_month(4)) == ["completions/alice"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--role=completions", "--reader=completions"], "completions has such a reader already"),
        (["--role=completions", "--reader=gone"], f"was removed from {NEXT} on; take another name"),
        (["--role=completions", "--reader=new", "--since=2990-01"], "--since 2990-01: the ring has"),
        (["--role=completions", "--reader=Al/ice"], "allowed are a to z"),
        (["--role=nobody", "--reader=alice"], "invalid choice"),
    ],
)
def test_who_cannot_be_added(ring: str, tmp_path: Path, flags: list[str], told: str) -> None:
    add(ring, "gone", f"{tmp_path}/gone.json")
    remove(ring, "gone")
    before = Path(ring, "ring.json").read_bytes()
    with pytest.raises((InvalidOptions, KeyUnavailable), match=told):
        keys.main(["add_reader", f"--key_ring={ring}", f"--private_key={tmp_path}/x.json", *flags])
    assert Path(ring, "ring.json").read_bytes() == before
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--reader=nobody"], "readers of completions are completions, alice"),
        (["--reader=alice", f"--from={relative_month(-1)}"], f"allowed is {NOW} or later"),
    ],
)
def test_who_cannot_be_removed(ring: str, tmp_path: Path, flags: list[str], told: str) -> None:
    add(ring, "alice", f"{tmp_path}/alice.json")
    with pytest.raises(InvalidOptions, match=told):
        keys.main(["remove_reader", f"--key_ring={ring}", "--role=completions", *flags])


def test_a_file_of_somebody_else_is_not_written_over(ring: str, tmp_path: Path) -> None:
    add(ring, "alice", f"{tmp_path}/alice.json")
    before = (tmp_path / "alice.json").read_bytes()
    with pytest.raises(KeyUnavailable, match="is the key file of completions/alice, not of completions/bob"):
        add(ring, "bob", f"{tmp_path}/alice.json")
    assert (tmp_path / "alice.json").read_bytes() == before


def test_adding_that_was_killed_at_any_write_is_finished_by_the_same_command(
    ring: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for writes in count():
        folder = str(shutil.copytree(ring, tmp_path / f"{writes}"))
        with killed_after(monkeypatch, writes) as was_killed, suppress(Killed):
            add(folder, "alice", f"{folder}/alice.json")
        if "alice" not in keyring.load(folder).readers["completions"]:
            add(folder, "alice", f"{folder}/alice.json")
        alice, roles = load_private(f"{folder}/alice.json"), open_roles(folder)
        assert alice.open(NOW, roles.seal("completions", NOW, b"code", "completions/alice")) == b"code"
        if not was_killed():
            assert writes == 3
            return


def test_an_operator_by_name_opens_what_is_put_aside_while_she_is_there(
    ring: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transforms.core.keys.open_ring import open_quarantine
    from transforms.core.keys.roles import STANDING

    before = open_quarantine(ring).seal(b"body")
    role = (f"--key_ring={ring}", "--role=operators")
    keys.main(["add_reader", *role, "--reader=carol", f"--private_key={tmp_path}/carol.json"])
    assert "carol reads what is put aside from now on" in capsys.readouterr().out
    carol, shared = load_private(f"{tmp_path}/carol.json"), load_private(f"{ring}/private/operators.json")
    both = open_quarantine(ring).seal(b"body")
    assert carol.open(STANDING, both) == shared.open(STANDING, both) == shared.open(STANDING, before) == b"body"
    with pytest.raises(KeyUnavailable):
        carol.open(STANDING, before)
    keys.main(["remove_reader", *role, "--reader=operators"])
    hers = open_quarantine(ring).seal(b"body")
    assert carol.open(STANDING, hers) == b"body"
    with pytest.raises(KeyUnavailable, match="operators had no key when this was written"):
        shared.open(STANDING, hers)
    with pytest.raises(InvalidOptions, match="nobody else reads it"):
        keys.main(["remove_reader", *role, "--reader=carol"])
    keys.rotate(ring, f"{ring}/private", relative_month(4))
    keys.main(["list", f"--key_ring={ring}"])
    assert "role operators, reader carol: payloads in quarantine\n" in capsys.readouterr().out
