"""SIGKILL at random moments, then the same command again: the same datasets, every time.

    make kills                              50 kills on a local folder, 50 on a GCS server process
    python -m tests.kills --kills 10 --store local

A child process runs the batch job; it is killed at a moment drawn from the
whole length of a run. Then the job runs to its end, and every file is compared
with a run that nobody disturbed: byte for byte, but for the ciphertext of
snippets and quarantined bodies, whose plain columns are compared.
"""

import argparse
import io
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines import batch, generate
from tests.conftest import KEY_RING
from tests.support.servers import BUCKET, gcs_server
from transforms.core import storage

SERVER = multiprocessing.get_context("forkserver")  # children of a process that has imported and done nothing
SERVER.set_forkserver_preload(["pipelines.batch", "pipelines.generate", "tests.support.servers"])


def job(raw: str, output: str, environment: dict[str, str]) -> None:
    """The child: one run of the job."""
    os.environ.update(environment)
    batch.run([f"--input={raw}", f"--output={output}", f"--key_ring={KEY_RING}", "--buckets=8"])
    os._exit(0)


def start(raw: str, output: str) -> Any:
    """Starts a run in a process of its own."""
    child = SERVER.Process(target=job, args=(raw, output, dict(os.environ)))
    child.start()
    return child


_FRESH = ("body", "file_digests", "file_bytes", "proof")


def content(output: str) -> dict[str, Any]:
    """Relative path -> bytes, or the columns of files that hold no ciphertext and no digest of one."""
    found: dict[str, Any] = {}
    for dataset in storage.list_folders(output):
        for day in storage.list_folders(storage.join(output, dataset)):
            for name in storage.list_files(storage.join(output, dataset, day)):
                data = storage.read_bytes(storage.join(output, dataset, day, name))
                key = f"{dataset}/{day}/{name}"
                if dataset in ("snippets", "quarantine", "ledger"):
                    file = pq.ParquetFile(io.BytesIO(data))
                    names = [n for n in file.schema_arrow.names if not n.endswith("_json") and n not in _FRESH]
                    found[key] = file.read(columns=names).to_pylist()
                else:
                    found[key] = data
    return found


def kill_once(rng: random.Random, raw: str, output: str, run_s: float) -> str:
    """Kills a run at a random moment; says where it stood."""
    child = start(raw, output)
    time.sleep(rng.random() * run_s)
    child.kill()
    child.join()
    stood = "ended before"
    if child.exitcode == -signal.SIGKILL:
        marks = len(storage.list_folders(storage.join(output, "ledger")))
        written = len(storage.list_folders(output))
        stood = "killed before writing" if not written else "killed while writing" if not marks else "killed with marks"
    return stood


def campaign(kills: int, seed: int, output: str, raw: str, whole: dict[str, Any], run_s: float) -> Counter[str]:
    """So many kills, each followed by a run to the end into the same output; returns what happened."""
    rng = random.Random(seed)
    happened: Counter[str] = Counter()
    for number in range(kills):
        here = f"{output}/{number // 5}"  # every fifth kill begins a fresh output, the others hit a whole one
        happened[kill_once(rng, raw, here, run_s)] += 1
        child = start(raw, here)
        child.join()
        if child.exitcode != 0:
            sys.exit(f"kill {number}: the run after it ended with {child.exitcode}")
        if content(here) != whole:
            differing = sorted(k for k in {*content(here), *whole} if content(here).get(k) != whole.get(k))
            sys.exit(f"kill {number}: other datasets than undisturbed: {differing[:10]}")
        leftovers = list(Path(here).rglob(".writing-*")) if storage.is_local(here) else []
        if leftovers:
            sys.exit(f"kill {number}: left behind {leftovers}")
        happened["same datasets after"] += 1
        if sys.stderr.isatty():
            print(f"{number + 1} of {kills}", end="\r", file=sys.stderr)
    return happened


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=6000)
    parser.add_argument("--store", choices=("local", "gs"), action="append", help="Default: both.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        generate.generate(f"{folder}/day", args.events, args.seed, generate.date(2026, 3, 31))
        for store in args.store or ("local", "gs"):
            with gcs_server(Path(folder)) if store == "gs" else nullcontext({}) as environment:
                os.environ.update(environment)
                base = f"gs://{BUCKET}" if store == "gs" else folder
                for output in (f"{base}/warm", f"{base}/whole"):  # the first run starts the server of children
                    begun = time.monotonic()
                    start(f"{folder}/day/raw", output).join()
                    run_s = time.monotonic() - begun
                whole = content(f"{base}/whole")
                happened = campaign(args.kills, args.seed, f"{base}/killed", f"{folder}/day/raw", whole, run_s)
                figures = ", ".join(f"{name} {count}" for name, count in sorted(happened.items()))
                print(
                    f"{store}: {args.kills} kills, {len(whole)} files, a run takes {run_s:.1f} s: {figures}", flush=True
                )


if __name__ == "__main__":
    main()
