"""Erases 50 of 5,000 people out of 30 days, holds every byte and value against what was there, and says what it took.

    make erase_show
    python -m tests.bench.erase --events 300000 --buckets 4

Before and after are compared as `tests.bench.erase_traces` says. A full rewrite is measured in two ways: the batch job
over the same input into a new output, which is what one would have to do without `pipelines.erase`; and every file of
the output written anew. One run makes all days, with as many buckets as each of 30 daily runs would choose: that of a
day's 90,000 events, which are 240 MB, has one.
"""

import argparse
import io
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from pipelines import batch, erase, generate, verify
from tests.bench.erase_traces import check, parquets, people_of
from tests.conftest import KEY_RING, PRIVATE, plain_columns
from transforms.core.output.parquet import parquet_bytes

KEYS = [f"--private_key={PRIVATE / role}.json" for role in ("operators", "prompts", "completions")]


class Took(NamedTuple):
    """Wall seconds, and CPU seconds of this process and its children: what else the machine does changes the first."""

    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.wall_s:.1f} s, {self.cpu_s:.1f} CPU s"


def quietly(do: Callable[[Sequence[str]], Any], flags: Sequence[str]) -> tuple[str, Took]:
    """What it printed, and what it took."""
    out, started_s, cpu_s = StringIO(), time.perf_counter(), _cpu_s()
    with redirect_stdout(out):
        do(flags)
    return out.getvalue(), Took(time.perf_counter() - started_s, _cpu_s() - cpu_s)


def _cpu_s() -> float:
    return sum(used.ru_utime + used.ru_stime for used in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))


def all_anew(output: Path) -> None:
    """Reads and writes every file of the output once, as the erasing does with those that it touches."""
    for path in parquets(output):
        data = path.read_bytes()
        reader = pq.ParquetFile(io.BytesIO(data))
        table = reader.read(columns=plain_columns(path)).replace_schema_metadata(None)
        written = parquet_bytes(path.parts[-3], table, None)
        target = path.with_suffix(".anew")
        with target.open("wb") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        target.unlink()


def main() -> None:
    """The command; exits with 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_700_000)
    parser.add_argument("--buckets", type=int, default=1)
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--erased", type=int, default=50)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3, help="How often the job and the erasing are run and timed.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="erase-show-") as name:
        show(Path(name), args)


class Round(NamedTuple):
    """What one round took: the batch job, looking for the people, erasing them, and writing every file anew."""

    job: Took
    dry: Took
    erasing: Took
    anew: Took

    def __str__(self) -> str:
        return (
            f"job {self.job}; dry run {self.dry}; erasing {self.erasing}, {part_of(self.erasing, self.job)} of the job; "
            f"every file anew {self.anew}"
        )


def show(folder: Path, args: argparse.Namespace) -> None:
    generated = [f"--output={folder}", f"--events={args.events}", f"--people={args.people}", f"--days={args.days}"]
    quietly(generate.main, [*generated, "--date=2026-04-14", "--container=ndjson", "--seed=20"])
    crowd = people_of(folder / "raw")
    chosen = [crowd[machine] for machine in sorted(crowd)[:: max(1, len(crowd) // args.erased)][: args.erased]]
    lines = [json.dumps({"machine": sorted(ids.machines), "user": sorted(ids.users)}) for ids in chosen]
    (folder / "people.jsonl").write_text("\n".join(lines))
    flags = [f"--datasets={folder}/out", f"--key_ring={KEY_RING}", f"--people={folder}/people.jsonl", *KEYS]
    rounds = []
    for _ in range(args.rounds):
        rounds.append(one_round(folder, args.buckets, flags))
        print(rounds[-1], flush=True)
    check(folder, chosen)
    quietly(verify.main, [f"--datasets={folder}/out", "--max_unjoined=100%"])
    again, _ = quietly(erase.main, [*flags, "--dry_run"])
    assert "nothing of theirs was found" in again
    buckets = {path.name.partition("of")[2][:4] for path in parquets(folder / "out")}
    print(
        f"{len(crowd):,} people, {len(chosen)} erased; {args.events:,} events in {args.days} days; buckets {sorted(buckets)}"
    )
    tell(rounds, len(chosen))


def one_round(folder: Path, buckets: int, flags: Sequence[str]) -> Round:
    """Makes the datasets in `out`, keeps a copy in `before`, and erases the people from `out`."""
    for name in ("out", "before"):
        shutil.rmtree(folder / name, ignore_errors=True)
    run = [f"--input={folder}/raw", f"--key_ring={KEY_RING}", "--close_open_suggestions", f"--buckets={buckets}"]
    _, job = quietly(batch.run, [*run, f"--output={folder}/out"])
    shutil.copytree(folder / "out", folder / "before")
    told, dry = quietly(erase.main, [*flags, "--dry_run"])
    printed, erasing = quietly(erase.main, [*flags, f"--checksum={told.split()[-1]}"])
    _, anew = quietly(lambda _: all_anew(folder / "before"), [])
    print(told, Path(printed.split()[-1]).read_text(), sep="\n")
    return Round(job, dry, erasing, anew)


def tell(rounds: Sequence[Round], people: int) -> None:
    """The medians: single rounds differ by a sixth where others use the machine, too."""
    of_job = [part_of(each.erasing, each.job) for each in rounds]
    of_anew = [part_of(each.erasing, each.anew) for each in rounds]
    cpu_s = statistics.median(each.erasing.cpu_s for each in rounds)
    print(f"erasing takes {_median(of_job)} of the batch job over the same input, medians of {len(rounds)} rounds")
    print(f"and {_median(of_anew)} of writing every file anew in one thread; {cpu_s / people:.3f} CPU s a person")


class Part(NamedTuple):
    """One time as a part of another."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.1%} of the time and {self.cpu:.1%} of the CPU time"


def part_of(took: Took, other: Took) -> Part:
    return Part(took.wall_s / other.wall_s, took.cpu_s / other.cpu_s)


def _median(parts: Sequence[Part]) -> Part:
    return Part(*(statistics.median(column) for column in zip(*parts, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
