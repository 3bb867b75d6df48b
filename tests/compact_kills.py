"""SIGKILL at random moments of a compaction, then the same command again: the same end, every time.

    make compact_kills                      20 kills, on an output of 10 days of several inputs
    python -m tests.compact_kills --kills 5

The killed process does what the command does, with a pause before each change of a folder, so that the moments between
them are hit, too. The moment is drawn from the time that it takes from its claim on.
"""

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

from pipelines import batch, compact, generate, verify
from pipelines.changing.change import carry_out
from tests.conftest import KEY_RING
from tests.support.kills import asked_for, check_same, files_but, kill_flags
from transforms.core.keys.open_ring import open_signing
from transforms.core.output.layout import UNFINISHED_FILE, Output
from transforms.core.output.unfinished import read_unfinished

_SLOW = """
import ctypes, os, sys, time
from pipelines import compact
pause_s = float(sys.argv.pop(1))
for name in ("remove", "rename", "replace", "unlink", "rmdir", "fsync"):
    def slowly(*args, real=getattr(os, name), **flags):
        time.sleep(pause_s)
        return real(*args, **flags)
    setattr(os, name, slowly)
compact.main([f"--datasets={sys.argv[1]}", f"--checksum={sys.argv[2]}", *sys.argv[3:]])
"""


def killed(output: Output, share: float, pause_s: float = 0.01, seconds: float | None = None, *flags: str) -> str:
    """Kills a compaction when about such a share of its time is over, and finishes it; says where it stood.

    The time is that of `seconds`, or else of one that is not killed, on a copy.
    """
    found = read_unfinished(output)
    checksum = found.checksum if found else compact.change_of(output).plan().checksum
    command = [sys.executable, "-c", _SLOW, str(pause_s), output.path, checksum, *flags]
    if seconds is None:
        seconds = time_of(output, pause_s, *flags)
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while child.poll() is None and not Path(output.beside("_claim.json")).exists():
        time.sleep(0.002)
    time.sleep(share * seconds)
    child.kill()
    was_killed, is_cut = child.wait() == -signal.SIGKILL, Path(output.beside(UNFINISHED_FILE)).exists()
    if not is_cut and compact.change_of(output).plan().is_empty:
        return "killed at its end" if was_killed else "ended before"
    subprocess.run([*command[:3], "0", *command[4:]], check=True, stdout=subprocess.DEVNULL)
    return "killed while changing" if is_cut else "killed before it changed anything"


def time_of(output: Output, pause_s: float, *flags: str) -> float:
    """Seconds from the claim on that a slowed compaction takes."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Output(shutil.copytree(output.path, f"{folder}/copy"))
        checksum = compact.change_of(copy).plan().checksum
        child = subprocess.Popen(
            [sys.executable, "-c", _SLOW, str(pause_s), copy.path, checksum, *flags], stdout=subprocess.DEVNULL
        )
        while child.poll() is None and not Path(copy.beside("_claim.json")).exists():
            time.sleep(0.002)
        begun = time.monotonic()
        assert child.wait() == 0
        return time.monotonic() - begun


def content(output: Output) -> dict[str, bytes]:
    """Every file but receipts and manifests, which tell when they were written."""
    return files_but(output, "_compacted/receipts", "runs/")


def main() -> None:
    """The command; exits with 1 where an end differs."""
    args = asked_for(kill_flags(__doc__))
    rng, stood = random.Random(args.seed), Counter[str]()
    flags = (f"--key_ring={KEY_RING}",)
    with tempfile.TemporaryDirectory() as folder:
        for number, (first, days) in enumerate([(0, 5), (3, 4), (5, 3), (12, 1)]):
            day = date(2026, 3, 1) + timedelta(days=first)
            generate.main(
                [
                    f"--output={folder}/{number}",
                    f"--events={200 * days}",
                    f"--days={days}",
                    f"--seed={number}",
                    f"--date={day}",
                ]
            )
            batch.run([f"--input={folder}/{number}/raw", f"--output={folder}/out", *flags, "--buckets=4"])
        whole = Output(shutil.copytree(f"{folder}/out", f"{folder}/whole"))
        carry_out(compact.change_of(whole, open_signing(KEY_RING)), compact.change_of(whole).plan().checksum)
        seconds = time_of(Output(f"{folder}/out"), 0.01, *flags)
        while (number := stood.total() - stood["ended before"]) < args.kills:
            output = Output(shutil.copytree(f"{folder}/out", f"{folder}/try"))
            stood[killed(output, rng.uniform(0, 1), 0.01, seconds, *flags)] += 1
            check_same(content(output), content(whole), number, stood)
            verify.main([f"--datasets={output}", "--max_unjoined=100%"])
            shutil.rmtree(output.path)
    print(dict(stood))


if __name__ == "__main__":
    main()
