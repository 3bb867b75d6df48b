"""SIGKILL at random moments of commands of pipelines.keys, then the same command again: the right end, every time.

    make keys_kills                       20 kills of each command that changes keys
    python -m tests.keys_kills --kills 2

The killed process does what the command does, with a pause before each change of a folder: else it would be over before
a signal comes.
"""

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path

from pipelines import keys
from pipelines.keeping import readers
from schemas.errors import NotProven
from tests.support.kills import asked_for, kill_flags
from transforms.core.keys import keyring
from transforms.core.keys.open_ring import open_roles
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.public_key import read_public_key, shown_key
from transforms.core.keys.receipts import is_signed, read_receipt

MONTH, LAST, ADDED = "2026-12", "2027-01", "2027-03"
_PAUSE_S = 0.05
_SLOW = """
import os, sys, time
from pipelines import keys
from pipelines.running.command import run_job
for name in ("link", "remove", "rename", "replace", "unlink"):
    def slowly(*args, real=getattr(os, name), **flags):
        time.sleep(PAUSE)
        return real(*args, **flags)
    setattr(os, name, slowly)
print("begun", flush=True)
run_job(keys.main)
""".replace("PAUSE", str(_PAUSE_S))


def command_of(name: str, place: Path) -> list[str]:
    """The flags of a command on a ring whose reader alice holds her file elsewhere."""
    ring = f"--key_ring={place}/ring"
    return {
        "renew_signing": ["renew_signing", ring, "--reason=leaked", f"--public_key={place}/new.pub",
                          f"--confirm={(place / 'signing_key').read_text()}"],
        "declare_lost": ["declare_lost", ring, "--role=completions", "--reader=alice", "--by=Carol Smith"],
        "destroy_lost": ["destroy", ring, f"--month={LAST}", f"--confirm={LAST}"],
        "rotate": ["rotate", ring, f"--through={ADDED}"],
        "destroy": ["destroy", ring, f"--month={MONTH}", f"--holder={place}/alice.json", f"--confirm={MONTH}"],
        "forget": ["forget", f"--private_key={place}/alice.json", f"--month={MONTH}", f"--receipt={place}/receipt.json",
                   f"--confirm={MONTH}"],
        "add_reader": ["add_reader", ring, "--role=prompts", "--reader=bob", f"--since={MONTH}",
                       f"--private_key={place}/bob.json"],
    }[name]  # fmt: skip


def make(place: Path) -> None:
    """A ring of three months with a reader by name."""
    keys.create(f"{place}/ring", "2026-11", 3)
    readers.add_reader(f"{place}/ring", "completions", "alice", "2026-11", f"{place}/alice.json")
    (place / "signing_key").write_text(_signing_key(place))


def _signing_key(place: Path) -> str:
    signer = keyring.load(f"{place}/ring").signer
    assert signer
    return shown_key(signer.public_key)


def killed(name: str, place: Path, after_s: float) -> bool:
    """Kills the command so long after it has begun, then runs it again to its end; whether the signal hit it."""
    if name == "destroy_lost":
        keys.main(command_of("declare_lost", place))
    child = subprocess.Popen([sys.executable, "-c", _SLOW, *command_of(name, place)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(after_s)
    child.kill()
    child.stdout.close()
    hit = child.wait() == -signal.SIGKILL
    ring = keyring.load(f"{place}/ring")
    if name == "destroy":
        assert MONTH not in ring.destroyed or not _holders_of(place, ring)
    is_done = {"destroy": MONTH in ring.destroyed, "add_reader": "bob" in ring.readers["prompts"]}.get(name, False)
    if not is_done:
        with suppress(NotProven) if name == "destroy_lost" else nullcontext():
            keys.main(command_of(name, place))
    return hit


def _holders_of(place: Path, ring: keyring.KeyRing) -> list[str]:
    paths = [*(place / "ring" / "private").glob("*.json"), *place.glob("alice.json")]
    return [path.name for path in paths if MONTH in load_private(str(path)).keys]


def _check_opens(place: Path, path: str, role: str, holder: str, months: list[str]) -> None:
    private, roles = load_private(f"{place}/{path}"), open_roles(f"{place}/ring")
    for month in months:
        assert private.open(month, roles.seal(role, month, b"code", holder)) == b"code"


def _check_rotate(place: Path) -> None:
    ring = keyring.load(f"{place}/ring")
    assert sorted(ring.epochs) == ["2026-11", MONTH, LAST, "2027-02", ADDED]
    for role in ("prompts", "completions"):
        _check_opens(place, f"ring/private/{role}.json", role, role, [*ring.epochs])
    _check_opens(place, "ring/private/completions.alice.json", "completions", "completions/alice", ["2027-02", ADDED])


def _check_destroy(place: Path) -> None:
    ring = keyring.load(f"{place}/ring")
    assert (ring.destroyed, ring.destroying, sorted(ring.epochs)) == ([MONTH], [], ["2026-11", LAST])
    assert not _holders_of(place, ring)
    _check_opens(place, "alice.json", "completions", "completions/alice", [*ring.epochs])


def _check_forget(place: Path) -> None:
    assert sorted(load_private(f"{place}/alice.json").keys) == ["2026-11", LAST]
    assert is_signed(keyring.load(f"{place}/ring"), read_receipt(f"{place}/receipt.json"))


def _check_add_reader(place: Path) -> None:
    _check_opens(place, "bob.json", "prompts", "prompts/bob", [MONTH, LAST])


def _check_renew_signing(place: Path) -> None:
    """Renewed once, and the key that lies there is the one that signs."""
    ring = keyring.load(f"{place}/ring")
    assert [shown_key(key.public_key) for key in ring.retired] == [(place / "signing_key").read_text()]
    assert shown_key(read_public_key(f"{place}/new.pub")) == _signing_key(place)


def _check_declare_lost(place: Path) -> None:
    (lost,) = keyring.load(f"{place}/ring").lost
    assert (lost.holder, lost.months) == ("completions/alice", ("2026-11", MONTH, LAST))


def _check_destroy_lost(place: Path) -> None:
    ring = keyring.load(f"{place}/ring")
    assert (ring.destroyed, ring.destroying, sorted(ring.epochs)) == ([LAST], [], ["2026-11", MONTH])
    assert [*ring.not_proven[LAST]] == ["completions/alice"]
    assert all(LAST not in load_private(str(path)).keys for path in (place / "ring" / "private").glob("*.json"))


CHECKS: dict[str, Callable[[Path], None]] = {
    "rotate": _check_rotate, "destroy": _check_destroy, "forget": _check_forget, "add_reader": _check_add_reader,
    "renew_signing": _check_renew_signing, "declare_lost": _check_declare_lost, "destroy_lost": _check_destroy_lost,
}  # fmt: skip


def try_kills(kills: int, rng: random.Random) -> Counter[str]:
    """So many kills of each command; raises AssertionError where an end is not right."""
    stood: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder) / "whole")
        for name, check in CHECKS.items():
            for number in range(kills):
                place = Path(shutil.copytree(f"{folder}/whole", f"{folder}/{name}-{number}"))
                hit = killed(name, place, rng.uniform(0, 12 * _PAUSE_S))
                check(place)
                halves = [p.name for p in place.rglob("*") if p.name.startswith(".writing-")]
                assert not halves, (name, halves)
                stood[f"{name}: {'killed' if hit else 'ended before'}"] += 1
    return stood


def main() -> None:
    """The command; exits with 1 where an end is not right."""
    args = asked_for(kill_flags(__doc__))
    print(dict(try_kills(args.kills, random.Random(args.seed))))


if __name__ == "__main__":
    main()
