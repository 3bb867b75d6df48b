"""Measures the batch job on an input many times as large as memory: time an event, and memory, as the input grows.

    python -m tests.bench.large --gb 1 3 10 30        an hour, and 40 GB of disk

A generated day is copied. In each copy all identifiers are other ones, so that every copy is of other people. What a run
counts must then be exactly so many times what it counts of one copy: events landed, duplicates, withheld, rows of each
dataset. Nothing else checks counts of so many events without trusting the program.
"""

import argparse
import re
import shutil
import tempfile
from pathlib import Path

import duckdb
import numpy as np

from tests.bench.cores import batch_command, measured, prepare

_IDENTIFIER = re.compile(rb"(?<![0-9A-Za-z])[0-9a-f]{8}(?=[0-9a-f]{24}|-[0-9a-f]{4}-)")
_DIGITS = 4
"""So many hexadecimal digits of each identifier tell the copies apart: 65,536 of them."""

_COUNTS = ("payloads", "events", "landed", "duplicate")


class Copies:
    """The lines of a generated day, and where their identifiers begin."""

    def __init__(self, raw: bytes) -> None:
        self._bytes = np.frombuffer(raw, np.uint8).copy()
        starts = np.array([found.start() for found in _IDENTIFIER.finditer(raw)])
        self._places = starts[:, None] + np.arange(_DIGITS)
        alphabet = b"0123456789abcdef"
        self._letters = np.frombuffer(alphabet, np.uint8)
        self._digits = np.searchsorted(np.sort(self._letters), self._bytes[self._places])

    def write(self, path: Path, number: int) -> int:
        """Writes the copy of that number, 0 being the day itself; gives its bytes."""
        shift = [number >> 4 * digit & 15 for digit in range(_DIGITS)]
        self._bytes[self._places] = self._letters[(self._digits + shift) % 16]
        path.parent.mkdir(parents=True, exist_ok=True)
        self._bytes.tofile(path)
        return self._bytes.nbytes


def counted(output: Path) -> dict[str, int]:
    """What the ledger says of a run, and the rows that lie in the datasets."""
    sums = ", ".join(f"sum({name})" for name in _COUNTS)
    (row,) = duckdb.sql(f"select {sums} from read_parquet('{output}/ledger/*/*.parquet')").fetchall()
    found = dict(zip(_COUNTS, row, strict=True))
    for dataset in sorted(path.name for path in output.iterdir() if any(path.glob("received_date=*/*.parquet"))):
        if dataset != "ledger":
            rows = duckdb.sql(f"select count(*) from read_parquet('{output}/{dataset}/*/*.parquet')").fetchall()
            found[f"rows of {dataset}"] = rows[0][0]
    return found


def main() -> None:
    """Copies, runs, compares, prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, nargs="+", default=[1, 3, 10, 30])
    parser.add_argument("--events", type=int, default=100_000, help="Of one copy.")
    parser.add_argument("--folder", metavar="DIR", help="Where data and outputs lie. Default: a temporary folder.")
    args = parser.parse_args()
    print("| GB | events | wall s | CPU s | us CPU an event | largest process MB | all processes MB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    with tempfile.TemporaryDirectory(prefix="large-", dir=args.folder) as folder:
        place = Path(folder)
        prepare(place, args.events)
        copies = Copies(b"".join(path.read_bytes() for path in sorted(place.glob("day-*/raw/*"))))
        size_bytes = copies.write(place / "one" / "0.ndjson", 0)
        measured([batch_command(place, "one/*", place / "out", "--close_open_suggestions")])
        one, made = counted(place / "out"), 0
        for gb in sorted(args.gb):
            times = max(1, round(gb * 1e9 / size_bytes))
            for number in range(made, times):
                copies.write(place / "raw" / f"{number}.ndjson", number)
            made = times
            shutil.rmtree(place / "out")
            taken = measured([batch_command(place, "raw/*", place / "out", "--close_open_suggestions")])
            found = counted(place / "out")
            assert found == {name: times * count for name, count in one.items()}, (times, one, found)
            events = found["events"]
            print(f"| {times * size_bytes / 1e9:.1f} | {events:,} | {taken.wall_s:.0f} | {taken.cpu_s:.0f} | "
                  f"{taken.cpu_s / events * 1e6:.1f} | {taken.process_mb:,} | {taken.all_mb:,} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
