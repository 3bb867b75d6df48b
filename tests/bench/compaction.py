"""Measures what compaction brings: days of an endless job's windows, before and after, with the README's queries.

    python -m tests.bench.compaction                        2 days of 20,000 events in windows of 5 minutes
    python -m tests.bench.compaction --days 1 --interval_s 3600

The windows are published as the job does, without a runner. A ratio of one run holds on any machine.
"""

import argparse
import resource
import shutil
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from pipelines import compact, generate
from pipelines.changing.change import carry_out
from pipelines.compaction.plan import MERGED
from tests.bench.readers import QUERIES, least_s
from tests.curating.test_windows import timed
from tests.support.marks import STREAM
from tests.support.windowed import Windows
from transforms.core.output import stream_state
from transforms.core.output.layout import LEDGER, Output
from transforms.core.output.ledger import read_marks

FIRST = date(2026, 3, 2)


def made(place: Path, days: int, events: int, interval_s: int) -> Output:
    """So many days of windows, and a later one with little in it that closes them."""
    lines = []
    for raw, count, day, span in (("days", days * events, FIRST, days), ("later", 20, FIRST + timedelta(days=days), 1)):
        flags = [f"--days={span}", f"--date={day}", "--without_code", "--without_rubbish"]
        generate.main([f"--output={place}/{raw}", f"--events={count}", "--seed=3", *flags])
        for path in sorted((place / raw / "raw").glob("*.ndjson")):
            lines += path.read_bytes().splitlines()
    (place / "out").mkdir()
    output = Output(str(place / "out"))
    windows = Windows(place / "out", buckets=4).run(timed([line for line in lines if line.strip()]), interval_s)
    stream_state.StreamState(output, STREAM, windows[-1].end_s).save()
    return output


def sizes(output: Output, *datasets: str) -> tuple[int, float]:
    """Files and MB."""
    found = [Path(file.path).stat().st_size for file in output.listing().files(*datasets)]
    return len(found), sum(found) / 1e6


def main() -> None:
    """Makes the days, compacts a copy, prints a table of files and one of queries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--interval_s", type=int, default=300)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-compaction-") as folder:
        before = made(Path(folder), args.days, args.events, args.interval_s)
        after = Output(str(shutil.copytree(before.path, f"{folder}/after")))
        change = compact.change_of(after, reach=timedelta(0))
        checksum, begun = change.plan().checksum, time.perf_counter()
        carry_out(change, checksum)
        taken_s, rss_mb = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"\n{args.days} days of {args.events} events, windows of {args.interval_s} s, 4 buckets; ", end="")
        print(f"compacted in {taken_s:.1f} s, peak {rss_mb:.0f} MB\n")
        print("| | files | MB |\n| --- | ---: | ---: |")
        for name, output in (("before", before), ("after", after)):
            print("| {} | {:,} | {:.1f} |".format(name, *sizes(output, *MERGED)))
        begun = time.perf_counter()
        print("| ledger, both | {:,} | {:.1f} |".format(*sizes(before, LEDGER)))
        marks = len(read_marks(before))
        print(f"\nreading its {marks:,} ledger rows took {time.perf_counter() - begun:.1f} s", file=sys.stderr)
        print("\n| question | before, ms | after, ms | before / after |\n| --- | ---: | ---: | ---: |")
        for query in QUERIES:
            before_s, after_s = least_s(query, (Path(before.path), Path(after.path)))
            told = (query.__doc__ or "").strip()
            print(f"| {told} | {before_s * 1e3:.0f} | {after_s * 1e3:.0f} | {before_s / after_s:.1f} |", flush=True)


if __name__ == "__main__":
    main()
