"""SIGKILL at random moments of an expiry, then the same command again: the same end, every time.

    make expire_kills                       20 kills, on an output of 60 days
    python -m tests.expire_kills --kills 5

The killed process does what the command does, with a pause before each change of a folder: else it would be over
before a signal comes. The moment is drawn from the time that it takes from its claim on, or from when its record says that it has begun.
"""

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
from tests.support.kills import asked_for, check_same, files_but, kill_flags
from transforms.core.output.expired import read_expired
from transforms.core.output.layout import Output
from transforms.core.output.unfinished import read_unfinished

AS_OF = date(2026, 10, 15)
_SLOW = """
import os, sys, time
from pipelines import expire
from pipelines.changing.change import carry_out
from transforms.core import storage
from transforms.core.keys.open_ring import open_signing
from transforms.core.storage import writing
pause_s = float(sys.argv.pop(1))
for name in ("remove", "rename", "replace", "unlink", "rmdir"):
    def slowly(*args, real=getattr(os, name), **flags):
        time.sleep(pause_s)
        return real(*args, **flags)
    setattr(os, name, slowly)
output, as_of, checksum, key_ring = expire.Output(sys.argv[1]), expire.iso_date(sys.argv[2]), *sys.argv[3:]
carry_out(expire.change_of(output, as_of, open_signing(key_ring)), checksum)
"""
"""The command with a pause before each change of a folder, so that moments between them are hit, too."""


def killed(output: Output, as_of: date, share: float, pause_s: float = 0.02) -> str:
    """Kills an expiry when about such a share of its files is gone, and finishes it; says where it stood.

    Where the share is less than 0, the time is counted from the claim on.
    """
    plan, unfinished = plan_of(output, read_expired(output), as_of), read_unfinished(output)
    checksum = unfinished.checksum if unfinished else plan.checksum
    command = [sys.executable, "-c", _SLOW, str(pause_s), output.path, as_of.isoformat(), checksum, KEY_RING]
    child = subprocess.Popen(command)
    begun = Path(output.path) / ("_claim.json" if share < 0 else "_unfinished.json")
    while child.poll() is None and not begun.exists():
        time.sleep(0.01)
    time.sleep(abs(share) * pause_s * (len(plan.files) * 1.2 + 8))
    child.kill()
    was_killed, after = child.wait() == -signal.SIGKILL, read_unfinished(output)
    if after is None and not plan_of(output, read_expired(output), as_of).files:
        return "killed at its end" if was_killed else "ended before"
    subprocess.run([*command[:3], "0", *command[4:]], check=True)
    return "killed while deleting" if after else "killed before it deleted"


def content(output: Output) -> dict[str, bytes]:
    """Every file but receipts and manifests, which tell when they were written."""
    return files_but(output, "_expired/2", "runs/manifests")


def main() -> None:
    """The command; exits with 1 where an end differs."""
    args = asked_for(kill_flags(__doc__))
    rng, stood = random.Random(args.seed), Counter[str]()
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
            check_same(content(output), content(whole), number, stood)
            verify.main([f"--datasets={output}", "--max_unjoined=100%"])
            shutil.rmtree(output.path)
    print(dict(stood))


if __name__ == "__main__":
    main()
