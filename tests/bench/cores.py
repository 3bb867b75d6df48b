"""Measures the batch job on one core and on all, against independent jobs side by side: what the machine can give.

    make bench            900,000 events, 2.4 GB
    python -m tests.bench.cores --events 300000 --rounds 2

As many jobs as there are cores, each in one process with the whole input and an output of its own, share nothing but
the machine: its memory bandwidth, its disk, its clock speed with all cores busy. So their rate together is the most
that one job could reach. All three ways are measured in turns, and the best round of each counts: what else the machine
does makes a round slower and never faster. Memory is the peak of each process (`VmHWM`), and of all together as they
were looked at (`PSS`, in which what they share counts once).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from pipelines.workers.cores import usable_cores

_LOOK_S = 0.5
_DAYS = 3


class Taken(NamedTuple):
    """What a way took: wall and CPU seconds, and the peak in MB of its largest process, and of all of them."""

    wall_s: float
    cpu_s: float
    process_mb: int
    all_mb: int


class _Memory(threading.Thread):
    """Looks at processes and their children until it is told to end."""

    def __init__(self, pids: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self._pids = pids
        self._over = threading.Event()
        self.process_mb = self.all_mb = 0

    def run(self) -> None:
        while not self._over.wait(_LOOK_S):
            with suppress(psutil.Error, OSError):
                jobs = [psutil.Process(pid) for pid in self._pids]
                family = [*jobs, *(child for job in jobs for child in job.children(recursive=True))]
                self.all_mb = max(self.all_mb, sum(p.memory_full_info().pss for p in family) >> 20)
                self.process_mb = max(self.process_mb, *(_peak_mb(p.pid) for p in family))

    def end(self) -> None:
        self._over.set()
        self.join()


def _peak_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM")), 0)


def measured(commands: Sequence[Sequence[str]]) -> Taken:
    """Runs commands at once, and looks at what they take; exits where one fails."""
    before, begun = os.times(), time.perf_counter()
    running = [subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for c in commands]
    memory = _Memory([job.pid for job in running])
    memory.start()
    for job in running:
        told = job.communicate()[1]
        if job.returncode:
            sys.exit(f"a job ended with {job.returncode}: {told.decode()[-2000:]}")
    wall_s, after = time.perf_counter() - begun, os.times()
    memory.end()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Taken(wall_s, cpu_s, memory.process_mb, memory.all_mb)


def batch_command(place: Path, raw: str, output: Path, *flags: str) -> list[str]:
    """The batch job over files of a folder, with the keys that `prepare` made there."""
    return [sys.executable, "-W", "ignore", "-m", "pipelines.batch", f"--input={place}/{raw}", f"--output={output}",
            f"--key_ring={place}/keys", *flags]  # fmt: skip


def take(place: Path, jobs: int, *flags: str) -> Taken:
    """Runs so many jobs at once over the whole input, each into an output of its own."""
    outputs = [place / f"out-{number}" for number in range(jobs)]
    taken = measured([batch_command(place, "day-*/raw/*", output, *flags) for output in outputs])
    for output in outputs:
        shutil.rmtree(output)
    return taken


def prepare(place: Path, events: int) -> int:
    """Generates days without code, as the other measurements take them, and keys; gives the input's bytes."""
    run = (sys.executable, "-m")
    subprocess.run(
        [*run, "pipelines.keys", "create", f"--output={place}/keys", "--start=2026-03", "--months=2"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    for day in range(1, _DAYS + 1):
        subprocess.run(
            [*run, "pipelines.generate", f"--output={place}/day-{day}", f"--events={events // _DAYS}", f"--seed={day}",
             f"--date=2026-03-{20 + day}", "--container=ndjson", "--without_code", "--without_rubbish"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    return sum(path.stat().st_size for path in place.glob("day-*/raw/*"))


def main() -> None:
    """Generates the data, measures, prints a Markdown table and two ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=900_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", metavar="DIR", help="Where data and outputs lie. Default: a temporary folder.")
    args = parser.parse_args()
    cores = usable_cores()
    with tempfile.TemporaryDirectory(prefix="cores-", dir=args.folder) as folder:
        place = Path(folder)
        size_bytes = prepare(place, args.events)
        print(f"{args.events:,} events, {size_bytes / 1e9:.1f} GB, {cores} cores, best of {args.rounds}\n", flush=True)
        one_core = "--direct_num_workers=1"
        ways = {
            "one process": (1, one_core),
            f"all cores ({cores} workers)": (1,),
            f"{cores} independent jobs": (cores, one_core),
        }
        rounds = [{name: take(place, *way) for name, way in ways.items()} for _ in range(args.rounds)]
    _print(args.events, ways, rounds)


def _print(events: int, ways: dict[str, tuple], rounds: list[dict[str, Taken]]) -> None:
    print("| | events/s | wall s | CPU s | largest process MB | all processes MB | speed |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    rates = {}
    for name, (jobs, *_) in ways.items():
        best = min((taken[name] for taken in rounds), key=lambda taken: taken.wall_s)
        rates[name] = jobs * events / best.wall_s
        speed = rates[name] / rates["one process"]
        print(f"| {name} | {rates[name]:,.0f} | {best.wall_s:.1f} | {best.cpu_s:.1f} | {best.process_mb:,} "
              f"| {best.all_mb:,} | {speed:.2f} |")  # fmt: skip
    _, ours, apart = rates.values()
    print(f"\nall cores reach {ours / apart:.2f} of the rate of independent jobs")


if __name__ == "__main__":
    main()
