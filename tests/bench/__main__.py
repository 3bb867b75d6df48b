"""Measures the whole job, what each step of it costs, and two things a user would write instead.

    make bench            300,000 events of about 2.7 KB, without code, on one core
    python -m tests.bench --events 50000

CPU seconds are user and system time of a process of its own, less its start-up,
which is what a process that only imports the same module takes. Ratios hold
between rows of one run; the figures themselves depend on the machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

CORE = 0


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


def row(name: str, measured: Measured, events: int, raw_bytes: int, reference: Measured) -> str:
    """A row of the table."""
    return (
        f"| {name} | {events / measured.cpu_s:,.0f} | {raw_bytes / 1e6 / measured.cpu_s:,.0f} | {measured.cpu_s:.1f} "
        f"| {measured.start_up_s:.1f} | {measured.wall_s:.1f} | {measured.peak_mb} "
        f"| {reference.cpu_s / measured.cpu_s:.2f} |"
    )


def main() -> None:
    """Generates the data, measures, prints two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--without_rivals", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        place = Path(folder)
        run = (sys.executable, "-m")
        make = (*run, "pipelines.generate", f"--output={place}/day", f"--events={args.events}", "--seed=9")
        subprocess.run(
            [*make, "--container=ndjson", "--without_code", "--without_rubbish"], check=True, stdout=subprocess.DEVNULL
        )
        subprocess.run(
            [*run, "pipelines.keys", "create", f"--output={place}/keys"], check=True, stdout=subprocess.DEVNULL
        )
        raw = place / "day" / "raw"
        raw_bytes = sum(p.stat().st_size for p in raw.iterdir())
        events = json.loads((place / "day" / "truth.json").read_text())["events"]
        print(f"{events:,} events of {raw_bytes / events:,.0f} bytes, one core\n")
        batch = ("pipelines.batch", f"--input={raw}", f"--output={place}/out", f"--key_ring={place}/keys")
        job = measure(*batch)
        print("| | events per CPU second | MB/s | CPU s | start-up CPU s | wall s | peak MB | speed, the job being 1 |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        print(row("this job", job, events, raw_bytes, job), flush=True)
        if not args.without_rivals:
            polars = measure("tests.bench.rival_polars", str(raw), f"{place}/polars")
            print(row("Polars script", polars, events, raw_bytes, job), flush=True)
            beam = measure("tests.bench.rival_beam", str(raw), f"{place}/beam")
            print(row("row-wise Beam", beam, events, raw_bytes, job), flush=True)
        steps = measure("tests.bench.steps", str(raw), f"{place}/keys", f"{place}/steps")
        _print_steps(json.loads(steps.printed.strip().splitlines()[-1]), job, decode_alone(raw), events)


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
