"""Measures the whole job, what each step of it costs, and two things a user would write instead.

    make bench            300,000 events of about 2.7 KB, without code, on one core
    python -m tests.bench --events 50000

It does so for two loads: a generated day, and another of the same shape, which `other_load` spells in other ways, of
ten times as many people.

CPU seconds are user and system time of a process of its own, less its start-up,
which is what a process that only imports the same module takes. Ratios hold
between rows of one run; the figures themselves depend on the machine.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

CORE = 0
_OTHER_EVENTS_PER_PERSON = 12


class Measured(NamedTuple):
    """One process: CPU seconds after and of its start-up, wall seconds, peak memory in MB, what it printed."""

    cpu_s: float
    start_up_s: float
    wall_s: float
    peak_mb: int
    printed: str


def run_alone(code: str, *arguments: str) -> tuple[float, float, int, str]:
    """Runs code in a process of its own on one core: CPU s, wall s, peak MB, output; fails where it fails."""
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    pinned = f"import os, runpy, sys\nos.sched_setaffinity(0, {{{CORE}}})\nsys.argv = sys.argv[1:]\n{code}"
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begun = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-c", pinned, *arguments], stdout=out, stderr=err, env=environment)
        _, status, used = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if child.returncode:
            sys.exit(f"{' '.join(arguments)} ended with {child.returncode}:\n{err.read()[-2000:]}")
        return used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss // 1024, out.read()


def measure(*command: str) -> Measured:
    """Runs a module and, for its start-up, a process that only imports it."""
    start_up_s = run_alone(f"import {command[0]}")[0]
    cpu_s, wall_s, peak_mb, printed = run_alone(
        "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)", *command
    )
    return Measured(cpu_s - start_up_s, start_up_s, wall_s, peak_mb, printed)


def decode_alone(raw: Path) -> float:
    """CPU seconds of decoding to columns and nothing else: the limit."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom transforms.core.decoding.envelopes import decode_event\n"
        "from schemas.errors import RejectedEvent\n"
        "start = time.process_time()\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    for line in path.open('rb'):\n"
        "        try:\n            decode_event(line)\n        except RejectedEvent:\n            pass\n"
        "print(time.process_time() - start)"
    )
    return float(
        subprocess.run([sys.executable, "-c", code, str(raw)], capture_output=True, text=True, check=True).stdout
    )


class Load(NamedTuple):
    """A folder of raw files, and how many events and bytes are in it."""

    raw: Path
    events: int
    size_bytes: int


def load_of(raw: Path) -> Load:
    """A load that is on disk."""
    files = sorted(raw.iterdir())
    events = sum(1 for path in files for _ in path.open("rb"))
    return Load(raw, events, sum(path.stat().st_size for path in files))


def row(name: str, measured: Measured, load: Load, reference: Measured) -> str:
    """A row of the table."""
    events, raw_bytes = load.events, load.size_bytes
    return (
        f"| {name} | {events / measured.cpu_s:,.0f} | {raw_bytes / 1e6 / measured.cpu_s:,.0f} | {measured.cpu_s:.1f} "
        f"| {measured.start_up_s:.1f} | {measured.wall_s:.1f} | {measured.peak_mb} "
        f"| {reference.cpu_s / measured.cpu_s:.2f} |"
    )


def main() -> None:
    """Generates the data, measures, prints two Markdown tables for each load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--without_rivals", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        place = Path(folder)
        _run("pipelines.keys", "create", f"--output={place}/keys")
        print(f"on a core of: {processor()}")
        for name, made in (("generated", generated), ("other", other)):
            load = made(place, args.events)
            print(f"\n{name} load: {load.events:,} events of {load.size_bytes / load.events:,.0f} bytes, one core\n")
            _compare(load, place, name, with_rivals=not args.without_rivals)
            shutil.rmtree(load.raw)


def processor() -> str:
    """The processor's model."""
    told = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    return models[0] if models else platform.processor()


def _run(*command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.DEVNULL)


def generated(place: Path, events: int, *more: str) -> Load:
    """A day of plain lines without code."""
    plain = ("--container=ndjson", "--without_code", "--without_rubbish", *more)
    _run("pipelines.generate", f"--output={place}/day", f"--events={events}", "--seed=9", *plain)
    raw = (place / "day" / "raw").rename(place / "raw")
    shutil.rmtree(place / "day")
    return load_of(raw)


def other(place: Path, events: int) -> Load:
    """The other load; see `other_load`."""
    first = generated(place, events, f"--people={max(12, events // _OTHER_EVENTS_PER_PERSON)}")
    _run("tests.bench.other_load", str(first.raw), f"{place}/other")
    shutil.rmtree(first.raw)
    return load_of(place / "other")


def _compare(load: Load, place: Path, name: str, *, with_rivals: bool) -> None:
    raw = str(load.raw)
    job = measure("pipelines.batch", f"--input={raw}", f"--output={place}/{name}-out", f"--key_ring={place}/keys")
    print("| | events per CPU second | MB/s | CPU s | start-up CPU s | wall s | peak MB | speed, the job being 1 |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    print(row("this job", job, load, job), flush=True)
    rivals = {
        "Polars script": ("tests.bench.rival_polars", raw, f"{place}/{name}-polars"),
        "leaner Polars script": ("tests.bench.rival_polars", raw, f"{place}/{name}-lean", "lean"),
        "row-wise Beam": ("tests.bench.rival_beam", raw, f"{place}/{name}-beam"),
    }
    for rival, command in rivals.items() if with_rivals else ():
        print(row(rival, measure(*command), load, job), flush=True)
    steps = measure("tests.bench.steps", raw, f"{place}/keys", f"{place}/{name}-steps")
    _print_steps(json.loads(steps.printed.strip().splitlines()[-1]), job, decode_alone(load.raw), load.events)


def _print_steps(found: dict, job: Measured, decode_s: float, events: int) -> None:
    print("\n| step | us an event | share |\n| --- | ---: | ---: |")
    for step, cpu_s in found["cpu_s"].items():
        print(f"| {step} | {cpu_s / events * 1e6:.1f} | {cpu_s / job.cpu_s:.0%} |")
    rest = job.cpu_s - sum(found["cpu_s"].values())
    print(f"| runner, GroupByBucket, checks of the books | {rest / events * 1e6:.1f} | {rest / job.cpu_s:.0%} |")
    print(f"| whole job | {job.cpu_s / events * 1e6:.1f} | 100% |")
    print(
        f"\ndecoding JSON alone: {decode_s / events * 1e6:.1f} us an event; sealed: {found['sealed_bytes'] / events:.0f} bytes an event"
    )


if __name__ == "__main__":
    main()
