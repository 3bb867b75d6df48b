"""A real npm client, the collector, and the jobs behind it: what `make collect` runs.

    python -m tests.collect_demo --events 30

Sends events with each of the real clients, waits until the endless job has
published them (the batch job, where Prism is not there), and shows the rows.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from pipelines.running.command import run_job
from tests.conftest import run_batch
from tests.support.brokers import PRISM
from tests.support.collectors import collecting
from tests.support.npm_clients import modules, send_with
from tests.support.stream_jobs import streaming

CLIENTS = ("applicationinsights", "extension-appinsights", "extension-1ds")
_TAKEN_WITHIN_S = 120


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def send_all(url: str, installed: Path, events: int) -> int:
    """Sends with each client; returns how many events."""
    sent = 0
    for client in CLIENTS:
        sent += len(send_with(installed, client, url, events))
        say(f"{client} sent {events} events to {url}")
    return sent


def landed(output: Path) -> int:
    """Rows of displays that are published."""
    if not list(output.glob("displays/*/*.parquet")):
        return 0
    return int(duckdb.sql(f"select count(*) from '{output}/displays/*/*.parquet'").fetchall()[0][0])


def main(argv: list[str]) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=30, help="Of each client. Default: 30.")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="collect-") as name:
        folder = Path(name)
        (folder / "to").mkdir(mode=0o700)
        installed = modules(folder / "npm")
        with collecting(folder, folder / "to", "--roll_interval=2s") as running:
            if PRISM.exists():
                with streaming(str(folder / "to"), folder / "out", "--watch", "--publish_interval=5s") as job:
                    sent, begun = send_all(running.url, installed, args.events), time.monotonic()
                    while landed(folder / "out") < sent and time.monotonic() - begun < _TAKEN_WITHIN_S:
                        job.check_alive()
                        time.sleep(0.2)
                    say(f"published {time.monotonic() - begun:.0f} s after the last was sent, in windows of 5 s")
            else:
                sent = send_all(running.url, installed, args.events)
                running.stop()
                run_batch(folder / "to", folder / "out")
        rows = landed(folder / "out")
        shown = duckdb.sql(
            "select event_name, extension, editor_version, language, count(*) events, count(distinct event_id) of_distinct "
            f"from '{folder}/out/displays/*/*.parquet' group by all order by all"
        )
        print(shown)
        print(f"{sent} sent, {rows} in the dataset displays")
        if rows != sent:
            sys.exit(1)


if __name__ == "__main__":
    run_job(lambda argv: main(list(argv)))
