"""Measures what readers of the datasets wait for: a month of small days as it lies now, and as it lay before.

    python -m tests.bench.readers           30 days of 10,000 events
    python -m tests.bench.readers --days 3 --events 500

Before, a day had 16 files of a dataset, whatever its size, with what columns mean in each footer, twice. The queries
are those of the README. Each is asked of both in turn, and the least of some times is taken; a ratio of one run holds on
any machine.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.registry import load
from transforms.core.output.parquet import _words

_SLOTS = 16
_TIMES = 5


def _run(*command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def made(place: Path, days: int, events: int) -> Path:
    """A month, each day in a file of each dataset as its own run would leave it; without code."""
    generated = (f"--events={days * events}", f"--days={days}", "--seed=9", "--without_code", "--without_rubbish")
    _run("pipelines.keys", "create", f"--output={place}/keys")
    _run("pipelines.generate", f"--output={place}/raw", *generated)
    read = (f"--input={place}/raw/raw", f"--key_ring={place}/keys", "--buckets=1")
    _run("pipelines.batch", *read, f"--output={place}/now", "--close_open_suggestions")
    return place / "now"


def as_before(output: Path, place: Path) -> Path:
    """The same rows in files as they were written before."""
    for path in output.glob("*/received_date=*/*.parquet"):
        folder = place / path.relative_to(output).parent
        folder.mkdir(parents=True, exist_ok=True)
        for slot, table in _by_slot(pq.ParquetFile(path).read()):
            (folder / f"{path.name.partition('-')[0]}-{slot:04d}.parquet").write_bytes(
                _written_before(path.parts[-3], table)
            )
    return place


def _by_slot(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Each person in one of 16 parts: by the first digit of a pseudonym, as files mask what part it really was."""
    name = next((name for name in ("installation_id", "payload_id") if name in table.column_names), None)
    if name is None:  # the ledger had a row for each bucket
        yield from ((slot, table) for slot in range(_SLOTS))
        return
    slots = np.array([int(text[0], _SLOTS) if text else 0 for text in table[name].to_pylist()])
    for slot in range(_SLOTS):
        if (part := table.filter(pa.array(slots == slot))).num_rows:
            yield slot, part


def _written_before(dataset: str, table: pa.Table) -> bytes:
    fields = [pa.field(f.name, f.type, not f.required, {"doc": f.doc, "classification": f.classification,
                                                        "treatment": f.treatment, "unit": f.unit or "",
                                                        "shape": f.allowed})
              for f in load(dataset).fields]  # fmt: skip
    out = io.BytesIO()
    written = table.cast(pa.schema(fields, {"doc": load(dataset).doc}))
    pq.write_table(written, out, compression="zstd", compression_level=1, use_dictionary=_words(dataset), version="2.6")
    return out.getvalue()


def rates(output: Path) -> object:
    """How many suggestions are accepted, and how much of them stays? DuckDB."""
    return duckdb.sql(f"""
        select language, count(*) shown,
          round(avg((outcome in ('accepted', 'partially_accepted'))::int), 3) acceptance_rate,
          round(avg((persistence_30s = 'unchanged')::int)
            filter (persistence_30s not in ('unobserved', 'not_applicable')), 3) unchanged_after_30s
        from '{output}/suggestions/*/*.parquet' where display_count > 0 group by all order by shown desc, language
    """).fetchall()


def accepted_by_day(output: Path) -> object:
    """How many were accepted on each day? DuckDB."""
    return duckdb.sql(f"""
        select received_date, count(*) from '{output}/suggestions/*/*.parquet'
        where outcome = 'accepted' group by all order by all
    """).fetchall()


def decisions(output: Path) -> object:
    """How long do people look before they decide? Polars."""
    suggestions = pl.read_parquet(output / "suggestions")
    return suggestions.group_by("outcome").agg(pl.len(), pl.col("decision_ms").median()).sort("outcome").rows()


def survival(output: Path) -> object:
    """Which model's suggestions survive ten minutes? Polars, lazily."""
    accepted = pl.scan_parquet(output / "suggestions").filter(
        (pl.col("display_count") > 0) & pl.col("outcome").is_in(["accepted", "partially_accepted"])
    )
    check = accepted.filter(pl.col("persistence_600s").is_not_null()).group_by("engine")
    observed = pl.col("persistence_600s") != "unobserved"
    return check.agg(observed.mean(), pl.col("accepted_chars").sum()).sort("engine").collect().rows()


def failures(output: Path) -> object:
    """In which editor versions do requests fail? pandas."""
    requests = pd.read_parquet(output / "requests", columns=["editor_version", "event_name"])
    return requests.value_counts(["editor_version", "event_name"]).sort_index().to_dict()


QUERIES = (rates, accepted_by_day, decisions, survival, failures)


def least_s(query: Callable[[Path], object], outputs: tuple[Path, ...]) -> list[float]:
    """The least seconds for each of the outputs, asked in turn; all must give the same answer."""
    seconds: list[list[float]] = [[] for _ in outputs]
    for _ in range(_TIMES):
        answers = []
        for output, taken in zip(outputs, seconds, strict=True):
            begun = time.perf_counter()
            answers.append(query(output))
            taken.append(time.perf_counter() - begun)
        if any(answer != answers[0] for answer in answers):
            sys.exit(f"{query.__name__}: the answers differ")
    return [min(taken) for taken in seconds]


def main() -> None:
    """Makes the month, prints a table of files and one of queries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--events", type=int, default=10_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-readers-") as folder:
        place = Path(folder)
        now = made(place, args.days, args.events)
        before = as_before(now, place / "before")
        shutil.rmtree(place / "raw")
        print(f"\n{args.days} days of {args.events} events, without code\n")
        print("| | files | MB | bytes a file |\n| --- | ---: | ---: | ---: |")
        for name, output in (("before", before), ("now", now)):
            sizes = [path.stat().st_size for path in output.glob("*/received_date=*/*.parquet")]
            print(f"| {name} | {len(sizes):,} | {sum(sizes) / 1e6:.1f} | {sum(sizes) // len(sizes):,} |")
        print("\n| question | before, ms | now, ms | before / now |\n| --- | ---: | ---: | ---: |")
        for query in QUERIES:
            before_s, now_s = least_s(query, (before, now))
            told = (query.__doc__ or "").strip()
            print(f"| {told} | {before_s * 1e3:.0f} | {now_s * 1e3:.0f} | {before_s / now_s:.1f} |", flush=True)


if __name__ == "__main__":
    main()
