"""Measures the whole job, what each step of it costs, and two things a user would write instead.

    make bench            300,000 events of about 2.7 KB, without code, on one core
    python -m tests.bench --events 50000

CPU seconds are user and system time of a process of its own, from its start to
its end, imports and set-up included. Ratios hold between rows of one run; the
figures themselves depend on the machine.
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
    """One process: CPU and wall time in seconds, peak memory in MB, what it printed."""

    cpu_s: float
    wall_s: float
    peak_mb: int
    printed: str


def measure(*command: str) -> Measured:
    """Runs a module on one core and measures it; fails where it fails."""
    code = (
        "import os, runpy, resource, sys\n"
        f"os.sched_setaffinity(0, {{{CORE}}})\n"
        "sys.argv = sys.argv[1:]\n"
        "try:\n    runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)\n"
        "finally:\n    r = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    print(f'\\n#{r.ru_utime + r.ru_stime} {r.ru_maxrss // 1024}')\n"
    )
    start = time.perf_counter()
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False, env=environment
    )
    wall_s = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    printed, _, figures = done.stdout.rpartition("\n#")
    cpu_s, peak_mb = figures.split()
    return Measured(float(cpu_s), wall_s, int(peak_mb), printed)


def decode_alone(raw: Path) -> float:
    """CPU seconds of decoding to columns and nothing else: the limit."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom transforms.core.envelopes import decode_event\n"
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
        f"| {measured.wall_s:.1f} | {measured.peak_mb} | {reference.cpu_s / measured.cpu_s:.2f} |"
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
        print("| | events per CPU second | MB/s | CPU s | wall s | peak MB | against the job |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
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
    print(f"| imports, runner, GroupByBucket | {rest / events * 1e6:.1f} | {rest / job.cpu_s:.0%} |")
    print(f"| whole job | {job.cpu_s / events * 1e6:.1f} | 100% |")
    print(
        f"\ndecoding JSON alone: {decode_s / events * 1e6:.1f} us an event; sealed: {found['sealed_bytes'] / events:.0f} bytes an event"
    )


if __name__ == "__main__":
    main()
