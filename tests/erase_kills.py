"""SIGKILL at random moments of an erasure or a withdrawal, then the same command again: the same end, every time.

    make erase_kills                                  20 kills of each, on an output of 6 days
    python -m tests.erase_kills --kills 5 --job erase

The killed process does what the command does, with a pause before each change of a folder: else it would be over
before a signal comes. The moment is drawn from the time that it takes from its claim on, or from when its record says
that it has begun. The end is compared row by row with that of a run which was not killed, code in clear included.
"""

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipelines import batch, erase, verify, withdraw
from pipelines.snippets import read_snippets
from tests.conftest import KEY_RING, PRIVATE, all_rows, write_lines
from tests.support.changes import dry
from tests.support.kills import asked_for, kill_flags
from tests.support.persons import event, life, person_line
from transforms.core.keys.private_keys import load_private
from transforms.core.output.layout import Output
from transforms.core.output.unfinished import read_unfinished

JOBS = {"erase": erase.main, "withdraw": withdraw.main}
KEYS = [f"--private_key={PRIVATE / role}.json" for role in ("operators", "prompts", "completions")]
_SLOW = """
import os, sys, time
from pipelines import erase, withdraw
pause_s, job = float(sys.argv[1]), sys.argv[2]
for name in ("remove", "rename", "replace", "unlink", "rmdir"):
    def slowly(*args, real=getattr(os, name), **flags):
        time.sleep(pause_s)
        return real(*args, **flags)
    setattr(os, name, slowly)
{"erase": erase, "withdraw": withdraw}[job].main(sys.argv[3:])
"""


def make(folder: Path, days: int) -> None:
    """An output of some days with code and quarantine, and files of people for both jobs."""
    documents: list[Any] = []
    for number in range(days):
        at = f"{date(2026, 3, 28) + timedelta(days=number)}T10:00:00.000Z"
        for person in range(6):
            documents += life(person, number, at)
            documents.append(
                {"collector": event(person, number, received_at=at)["collector"], "x": f"{person:04x}" * 16}
            )
    raw = write_lines(folder / "raw.ndjson", documents)
    batch.run([f"--input={raw}", f"--output={folder}/out", f"--key_ring={KEY_RING}", "--buckets=2",
               "--close_open_suggestions"])  # fmt: skip
    (folder / "erase.jsonl").write_text(f"{person_line(1)}\n{person_line(2)}\n")
    levels = [{"telemetry_level": "error"}, {"snippet_consent": False}]
    (folder / "withdraw.jsonl").write_text("\n".join(person_line(n, **level) for n, level in enumerate(levels)))


def flags(folder: Path, output: Path, job: str) -> list[str]:
    return [f"--datasets={output}", f"--key_ring={KEY_RING}", f"--people={folder}/{job}.jsonl", *KEYS]


def killed(folder: Path, output: Path, job: str, share: float, pause_s: float = 0.02) -> str:
    """Kills the job at about such a share of its way, and finishes it; says where it stood.

    Where the share is less than 0, the time is counted from the claim on.
    """
    given = flags(folder, output, job)
    text, checksum = dry(JOBS[job], *given)
    command: Sequence[str] = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        _SLOW,
        str(pause_s),
        job,
        *given,
        f"--checksum={checksum}",
    ]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begun = output / ("_claim.json" if share < 0 else "_unfinished.json")
    while child.poll() is None and not begun.exists():
        time.sleep(0.005)
    files = int(text.partition(" rows in ")[2].partition(" files")[0].replace(",", ""))
    time.sleep(abs(share) * pause_s * (files * 1.5 + 10))
    child.kill()
    was_killed, after = child.wait() == -signal.SIGKILL, read_unfinished(Output(str(output)))
    if after is None and "nothing of theirs was found" in dry(JOBS[job], *given)[0]:
        return "killed at its end" if was_killed else "ended before"
    JOBS[job]([*given, f"--checksum={checksum}"])
    return "killed while writing" if after else "killed before it wrote"


def content(output: Path) -> dict[str, Any]:
    """Every row of every dataset, and code in clear."""
    found: dict[str, Any] = {k: v for k, v in all_rows(output).items() if k not in ("ledger", "snippets")}
    for role in ("prompts", "completions"):
        keys = load_private(str(PRIVATE / f"{role}.json"))
        tables = read_snippets(Output(str(output)), keys, None, None)
        found[role] = sorted((row for table in tables for row in table.to_pylist()), key=lambda row: row["event_id"])
    return found


def main() -> None:
    """The command; exits with 1 where an end differs."""
    parser = kill_flags(__doc__)
    parser.add_argument("--job", choices=JOBS, action="append")
    args = asked_for(parser)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, 6)
        for job in args.job or JOBS:
            print(job, dict(many(folder, job, args.kills, random.Random(args.seed))))


def many(folder: Path, job: str, kills: int, rng: random.Random) -> Counter[str]:
    """Where the kills of a job hit it; raises AssertionError where an end differs."""
    stood, whole = Counter[str](), folder / f"whole-{job}"
    shutil.copytree(folder / "out", whole)
    killed(folder, whole, job, 1e3, 0)
    expected = content(whole)
    for number in range(kills):
        output = folder / "try"
        shutil.copytree(folder / "out", output)
        stood[killed(folder, output, job, rng.uniform(-0.2, 1))] += 1
        assert content(output) == expected, (number, stood)
        verify.main([f"--datasets={output}", "--max_unjoined=100%"])
        shutil.rmtree(output)
    return stood


if __name__ == "__main__":
    main()
