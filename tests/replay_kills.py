"""SIGKILL at random moments of a replay, then the same command again: the same end, every time.

    make replay_kills                       20 kills, on quarantine of a month for which there was no key
    python -m tests.replay_kills --kills 5

The killed process does what the command does. Every second time it is killed from outside, at a moment drawn from the
time that a whole run takes from its claim on, with a pause before each file that it puts into place: so moments between
two of them are hit, too. The other times it kills itself as one of its changes of a folder comes, drawn from all that a
whole run makes: so those moments are hit that are over in a millisecond. A run that ended before counts for nothing.
"""

import contextlib
import io
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pipelines import batch, generate, keys, replay, verify
from schemas.errors import UnbalancedBooks
from tests.conftest import all_rows
from tests.support.kills import asked_for, check_same, kill_flags
from transforms.core.output.layout import Output
from transforms.core.output.replayed import read_replayed
from transforms.core.output.unfinished import read_unfinished

_SLOW = """
import os, signal, sys, time
from pipelines import replay
pause_s, at, made = float(sys.argv.pop(1)), int(sys.argv.pop(1)), []
for name in ("remove", "rename", "replace", "link"):
    def slowly(*args, real=getattr(os, name), **flags):
        made.append(None)
        if len(made) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(pause_s)
        return real(*args, **flags)
    setattr(os, name, slowly)
replay.main(sys.argv[1:])
print(len(made))
"""
"""The command with a pause before each change of a folder, or its end at one of them."""

PAUSE_S = 0.03


class Replays:
    """An output with a month in quarantine, the flags that replay it, and what it is to be afterwards."""

    def __init__(self, folder: str, events: int = 600, seed: int = 0) -> None:
        self.folder = folder
        keys.create(f"{folder}/keys", "2026-03", 1)
        for day in ("2026-02-27", "2026-03-01"):
            generate.main([f"--output={folder}/{day}", f"--events={events}", f"--seed={seed}", f"--date={day}"])
            flags = [f"--input={folder}/{day}/raw", f"--output={folder}/out", f"--key_ring={folder}/keys"]
            batch.run([*flags, "--buckets=4", "--max_quarantined_share=100%"])
        keys.rotate(f"{folder}/keys", f"{folder}/keys/private", "2026-02")
        self.checksum = self._dry()
        self.whole = Output(f"{folder}/whole")
        shutil.copytree(f"{folder}/out", self.whole.path)
        begun_s = time.monotonic()
        done = subprocess.run(self.command(self.whole, PAUSE_S), check=True, stdout=subprocess.PIPE, text=True)
        self.whole_s = time.monotonic() - begun_s
        self.changes = int(done.stdout.split()[-1])
        self.expected = content(self.whole)

    def flags(self, output: Output) -> list[str]:
        """Of every run."""
        ring = f"{self.folder}/keys"
        private = f"--private_key={ring}/private/operators.json"
        return [f"--output={output}", f"--key_ring={ring}", private, "--purpose=kills"]

    def _dry(self) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            replay.main([*self.flags(Output(f"{self.folder}/out")), "--dry_run"])
        return printed.getvalue().split()[-1]

    def command(self, output: Output, pause_s: float = 0, at: int = 0) -> list[str]:
        """The real run; killed before the change of that number, where there is one."""
        flags = [*self.flags(output), f"--checksum={self.checksum}"]
        return [sys.executable, "-c", _SLOW, str(pause_s), str(at), *flags]

    def killed(self, share: float) -> str:
        """Kills a replay when about such a share of its time is over, finishes it, and says where it stood."""
        output = self._copy()
        child = subprocess.Popen(self.command(output, PAUSE_S), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        claim, begun_s = Path(output.path) / "_claim.json", time.monotonic()
        while child.poll() is None and not claim.exists():
            time.sleep(0.005)
        started_s = time.monotonic() - begun_s
        time.sleep(max(self.whole_s - started_s, 0.1) * share)
        child.kill()
        return self._finished(output, child.wait())

    def killed_at(self, share: float) -> str:
        """The same, killed before the change of a folder that comes when such a share of them has been made."""
        output, at = self._copy(), 1 + int(share * self.changes)
        child = subprocess.run(
            self.command(output, at=at), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
        return self._finished(output, child.returncode)

    def _copy(self) -> Output:
        return Output(shutil.copytree(f"{self.folder}/out", f"{self.folder}/try"))

    def _finished(self, output: Output, code: int) -> str:
        is_recorded, unfinished = [*read_replayed(output)] != [], read_unfinished(output)
        subprocess.run(self.command(output), check=True, stdout=subprocess.DEVNULL)
        check_same(content(output), self.expected)
        assert read_unfinished(output) is None
        check_verified(output)
        shutil.rmtree(output.path)
        if code != -signal.SIGKILL:
            return ENDED
        if unfinished is None:
            return "killed at its end" if is_recorded else "killed before it began"
        return "killed while it told what was replayed" if is_recorded else "killed while it landed"


ENDED = "ended before"


def check_verified(output: Output) -> None:
    """Raises AssertionError, with what verify says, where the output is not as it must be, or a warning is left."""
    said, warned = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(warned):
            verify.main([f"--datasets={output}", "--max_unjoined=100%"])
    except UnbalancedBooks:
        raise AssertionError(said.getvalue()) from None
    assert "warning" not in warned.getvalue(), warned.getvalue()


def content(output: Output) -> dict[str, Any]:
    """All rows by dataset but the books', the payloads that were replayed, and of which kinds the manifests are.

    A run that was killed after a manifest signs its files once more, as code has fresh keys each time.
    """
    rows: dict[str, Any] = {name: found for name, found in all_rows(Path(output.path)).items() if name != "ledger"}
    manifests = sorted(Path(output.path).glob("runs/manifests/output/*/*.jsonl"))
    kinds = [json.loads(path.read_bytes().splitlines()[0])["kind"] for path in manifests]
    replayed = [found.payload_ids for found in read_replayed(output)]
    return {**rows, "_replayed": replayed, "kinds": [*dict.fromkeys(kinds), kinds[-1]]}


def main() -> None:
    """The command; raises where an end differs."""
    args = asked_for(kill_flags(__doc__))
    rng, stood = random.Random(args.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        replays = Replays(folder, seed=args.seed)
        print(
            f"a whole run takes {replays.whole_s:.1f} s and makes {replays.changes} changes", replays.expected["kinds"]
        )
        while stood.total() - stood[ENDED] < args.kills:
            stood[replays.killed_at(rng.random()) if stood.total() % 2 else replays.killed(rng.random())] += 1
            print(dict(stood), flush=True)


if __name__ == "__main__":
    main()
