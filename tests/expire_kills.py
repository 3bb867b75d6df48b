"""SIGKILL at random moments of an expiry, then the same command again: the same end, every time.

    make expire_kills                       20 kills, on an output of 60 days
    python -m tests.expire_kills --kills 5

The killed process does what the command does, with a pause before each change of a folder: else it would be over
before a signal comes. The moment is drawn from the time that it takes from its claim on, or from when its record says that it has begun.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path

from pipelines import batch, generate, verify
from pipelines.retention.plan import plan_of
from tests.conftest import KEY_RING
from transforms.core.output.expired import read_expired
from transforms.core.output.layout import Output

AS_OF = date(2026, 10, 15)
_SLOW = """
import os, sys, time
from pipelines import expire
from transforms.core import storage
from transforms.core.storage import writing
pause_s = float(sys.argv.pop(1))
for name in ("remove", "rename", "replace", "unlink", "rmdir"):
    def slowly(*args, real=getattr(os, name), **flags):
        time.sleep(pause_s)
        return real(*args, **flags)
    setattr(os, name, slowly)
expire.expire(expire.Output(sys.argv[1]), expire.iso_date(sys.argv[2]), sys.argv[3])
"""
"""The command with a pause before each change of a folder, so that moments between them are hit, too."""


def killed(output: Output, as_of: date, share: float, pause_s: float = 0.02) -> str:
    """Kills an expiry when about such a share of its files is gone, and finishes it; says where it stood.

    Where the share is less than 0, the time is counted from the claim on.
    """
    record = read_expired(output)
    plan = plan_of(output, record, as_of)
    checksum = record.pending.checksum if record.pending else plan.checksum
    command = [sys.executable, "-c", _SLOW, str(pause_s), output.path, as_of.isoformat(), checksum]
    child = subprocess.Popen(command)
    begun = Path(output.path) / ("_claim.json" if share < 0 else "_expired/record.json")
    while child.poll() is None and not begun.exists():
        time.sleep(0.01)
    time.sleep(abs(share) * pause_s * (len(plan.files) * 1.2 + 8))
    child.kill()
    was_killed, after = child.wait() == -signal.SIGKILL, read_expired(output)
    if after.pending is None and not plan_of(output, after, as_of).files:
        return "killed at its end" if was_killed else "ended before"
    subprocess.run([*command[:3], "0", *command[4:]], check=True)
    return "killed while deleting" if after.pending else "killed before it deleted"


def content(output: Output) -> dict[str, bytes]:
    """Every file but receipts, which tell when they were written, and the first beat of a holder that was killed before
    it had its claim: nobody knows that one's name.
    """
    root = Path(output.path)
    found = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    return {name: data for name, data in found.items() if not name.startswith(("_expired/2", "_claim"))}


def main() -> None:
    """The command; exits with 1 where an end differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    args = parser.parse_args()
    rng, stood = random.Random(args.seed), Counter[str]()
    print(f"seed {args.seed}")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(10):
            day = date(2026, 3, 1 + 3 * number)
            generate.main([f"--output={folder}/{day}", "--events=600", f"--seed={number}", f"--date={day}"])
            batch.run(
                [f"--input={folder}/{day}/raw", f"--output={folder}/out", f"--key_ring={KEY_RING}", "--buckets=4"]
            )
        whole = Output(f"{folder}/whole")
        shutil.copytree(f"{folder}/out", whole.path)
        killed(whole, AS_OF, 1e3, 0)
        for number in range(args.kills):
            output = Output(f"{folder}/try")
            shutil.copytree(f"{folder}/out", output.path)
            stood[killed(output, AS_OF, rng.uniform(-0.2, 1))] += 1
            found, expected = content(output), content(whole)
            differing = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
            assert not differing, (number, stood, differing)
            verify.main([f"--datasets={output}", "--max_unjoined=100%"])
            shutil.rmtree(output.path)
    print(dict(stood))


if __name__ == "__main__":
    main()
