"""Erases 50 of 5,000 people out of 30 days, holds every byte and value against what was there, and says what it took.

    make erase_show
    python -m tests.bench.erase --events 300000 --buckets 4

Before and after are compared by code that shares nothing with the job but the making of pseudonyms: whose row it is
follows from the raw lines. A full rewrite is measured in two ways: the batch job over the same input into a new output,
which is what one would have to do without `pipelines.erase`; and every file of the output written anew. One run makes
all days, with as many buckets as each of 30 daily runs would choose: that of a day's 90,000 events, which are 240 MB, has
one.
"""

import argparse
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import batch, erase, generate, verify
from pipelines.snippets import read_snippets
from tests.conftest import KEY_RING, PRIVATE, plain_columns
from transforms.core.keys.open_ring import open_pseudonyms
from transforms.core.keys.private_keys import load_private
from transforms.core.output.layout import Output
from transforms.core.output.parquet import parquet_bytes

KEYS = [f"--private_key={PRIVATE / role}.json" for role in ("operators", "prompts", "completions")]
COLUMNS = {"installation_id": "installation", "session_id": "session", "user_id": "user"}
MACHINES = ("client_machineid", "common.vscodemachineid", "common_vscodemachineid")
TRACKED = ("copilot_trackingId", "common.tid", "ai.user.id")
SESSIONS = ("client_sessionid", "common.vscodesessionid", "common_vscodesessionid", "sessionID", "ai.session.id")


@dataclass
class Ids:
    """Raw ids of a person, as the lines show them."""

    machines: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)


def people_of(raw: Path) -> dict[str, Ids]:
    """By machine: what else each line of that machine names."""
    found: dict[str, Ids] = {}
    for path in sorted(raw.rglob("*.ndjson")):
        for line in path.read_bytes().splitlines():
            try:
                document = json.loads(line)
                values = {**document["data"]["baseData"]["properties"], **(document.get("tags") or {})}
            except (ValueError, KeyError, TypeError):
                continue
            machine = next((values[name] for name in MACHINES if isinstance(values.get(name), str)), None)
            if machine is None:
                continue
            ids = found.setdefault(machine, Ids({machine}))
            ids.users |= {values[n] for n in TRACKED if isinstance(values.get(n), str) and values[n]}
            ids.sessions |= {values[n] for n in SESSIONS if isinstance(values.get(n), str) and values[n]}
    return found


def pseudonyms(people: Sequence[Ids]) -> dict[str, set[str]]:
    """By column, of every month."""
    keys = open_pseudonyms(KEY_RING)
    texts = sorted({text for ids in people for text in (*ids.machines, *ids.users, *ids.sessions)})
    return {
        column: {made.hex() for month in keys.person_keys for made in keys.pseudonymizer(domain, month).of_each(texts)}
        for column, domain in COLUMNS.items()
    }


def theirs(table: pa.Table, names: dict[str, set[str]]) -> np.ndarray:
    """Which rows bear one of the names."""
    found = np.zeros(table.num_rows, dtype=bool)
    for column, texts in names.items():
        if column in table.column_names:
            found |= np.asarray(pc.is_in(table[column], value_set=pa.array(sorted(texts), pa.string())))
    return found


class Needles:
    """Looks for many texts in bytes at once: by their first 8 bytes, at every place."""

    def __init__(self, needles: set[bytes]) -> None:
        self._by_start: dict[int, list[bytes]] = {}
        for needle in needles:
            if len(needle) >= 8:
                self._by_start.setdefault(int.from_bytes(needle[:8], "little"), []).append(needle)
        self._starts = np.array(sorted(self._by_start), dtype=np.uint64)

    def in_bytes(self, data: bytes) -> list[bytes]:
        """Those that are there."""
        found = []
        for offset in range(8):
            count = (len(data) - offset) // 8
            view = np.frombuffer(data, dtype="<u8", count=max(count, 0), offset=offset) if count > 0 else None
            if view is None:
                continue
            for place in np.flatnonzero(np.isin(view, self._starts)):
                at = offset + 8 * int(place)
                found += [n for n in self._by_start[int(view[place])] if data[at : at + len(n)] == n]
        return found


def plain(path: Path) -> pa.Table:
    return pq.ParquetFile(path).read(columns=plain_columns(path))


def parquets(output: Path) -> Iterator[Path]:
    for path in sorted(output.rglob("*.parquet")):
        if path.parts[-3] not in ("ledger", "quarantine", "acceptance"):
            yield path


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


def code_by_event(output: Path, role: str) -> dict[str, dict[str, Any]]:
    keys = load_private(str(PRIVATE / f"{role}.json"))
    tables = read_snippets(Output(str(output)), keys, None, None)
    return {row["event_id"]: row for table in tables for row in table.to_pylist()}


def main() -> None:
    """The command; exits with 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_700_000)
    parser.add_argument("--buckets", type=int, default=1)
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--erased", type=int, default=50)
    parser.add_argument("--days", type=int, default=30)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="erase-show-") as name:
        show(Path(name), args)


def show(folder: Path, args: argparse.Namespace) -> None:
    generated = [f"--output={folder}", f"--events={args.events}", f"--people={args.people}", f"--days={args.days}"]
    quietly(generate.main, [*generated, "--date=2026-04-14", "--container=ndjson", "--seed=20"])
    crowd = people_of(folder / "raw")
    chosen = [crowd[machine] for machine in sorted(crowd)[:: max(1, len(crowd) // args.erased)][: args.erased]]
    lines = [json.dumps({"machine": sorted(ids.machines), "user": sorted(ids.users)}) for ids in chosen]
    (folder / "people.jsonl").write_text("\n".join(lines))
    run = [f"--input={folder}/raw", f"--key_ring={KEY_RING}", "--close_open_suggestions", f"--buckets={args.buckets}"]
    _, job = quietly(batch.run, [*run, f"--output={folder}/out"])
    shutil.copytree(folder / "out", folder / "before")
    flags = [f"--datasets={folder}/out", f"--key_ring={KEY_RING}", f"--people={folder}/people.jsonl", *KEYS]
    told, dry = quietly(erase.main, [*flags, "--dry_run"])
    printed, erasing = quietly(erase.main, [*flags, f"--checksum={told.split()[-1]}"])
    _, anew = quietly(lambda _: all_anew(folder / "before"), [])
    print(told)
    print(Path(printed.split()[-1]).read_text())
    check(folder, chosen)
    quietly(verify.main, [f"--datasets={folder}/out", "--max_unjoined=100%"])
    again, _ = quietly(erase.main, [*flags, "--dry_run"])
    assert "nothing of theirs was found" in again
    buckets = {path.name.partition("of")[2][:4] for path in parquets(folder / "out")}
    print(
        f"{len(crowd):,} people, {len(chosen)} erased; {args.events:,} events in {args.days} days; buckets {sorted(buckets)}"
    )
    print(
        f"dry run: {dry}; erasing: {erasing} (both find the people), {erasing.cpu_s / len(chosen):.3f} CPU s a person"
    )
    print(f"the batch job over the same input: {job}; erasing takes {part_of(erasing, job)}")
    print(f"every file written anew: {anew}; erasing takes {part_of(erasing, anew)}")


def part_of(took: Took, other: Took) -> str:
    return f"{took.wall_s / other.wall_s:.1%} of its time, {took.cpu_s / other.cpu_s:.1%} of its CPU time"


def check(folder: Path, chosen: Sequence[Ids]) -> None:
    """Raises AssertionError at the first trace, and the first value of others that is not as it was."""
    names = pseudonyms(chosen)
    touched, untouched, rows_gone, event_ids = 0, 0, 0, set()
    for path in parquets(folder / "before"):
        after, before = folder / "out" / path.relative_to(folder / "before"), plain(path)
        gone = theirs(before, names)
        rows_gone += int(gone.sum())
        if "event_id" in before.column_names:
            event_ids |= set(before.filter(pa.array(gone))["event_id"].to_pylist())
        if not gone.any():
            assert after.read_bytes() == path.read_bytes(), f"{path} was touched and holds nobody of them"
            untouched += 1
            continue
        touched += 1
        kept = before.filter(pa.array(~gone))
        assert plain(after).equals(kept) if kept.num_rows else not after.exists(), path
    raw = {text for ids in chosen for text in (*ids.machines, *ids.users, *ids.sessions)}
    hexed = set().union(*names.values())
    needles = Needles(
        {t.encode() for t in (*raw, *hexed, *event_ids)} | {bytes.fromhex(t) for t in (*hexed, *event_ids)}
    )
    searched = 0
    for path in sorted(p for p in (folder / "out").rglob("*") if p.is_file()):
        data = path.read_bytes()
        searched += len(data)
        assert not needles.in_bytes(data), path
        if path.suffix == ".parquet":
            decoded = io.BytesIO()
            pq.write_table(plain(path), decoded, compression="none", use_dictionary=False)
            searched += len(decoded.getvalue())
            assert not needles.in_bytes(decoded.getvalue()), path
    control = next(p for p in parquets(folder / "before") if theirs(plain(p), names).any())
    decoded = io.BytesIO()
    pq.write_table(plain(control), decoded, compression="none", use_dictionary=False)
    assert needles.in_bytes(decoded.getvalue()), "the search finds nothing where there is something"
    for role in ("prompts", "completions"):
        before_code, after_code = (code_by_event(folder / which, role) for which in ("before", "out"))
        assert after_code == {name: row for name, row in before_code.items() if name not in event_ids}, role
        print(f"{role}: code of {len(after_code):,} events as it was, of {len(before_code) - len(after_code):,} gone")
    print(f"{rows_gone:,} rows gone; {touched:,} files written anew, {untouched:,} the same to the byte")
    print(f"{searched:,} bytes searched for {len(raw) + len(hexed) + len(event_ids):,} ids: no trace")


if __name__ == "__main__":
    sys.exit(main())
