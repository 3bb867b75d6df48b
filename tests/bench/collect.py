"""Requests per second and core of the collector, and how long clients wait for their answer.

    python -m tests.bench.collect

The collector has one core, the client the other. A request is a gzipped body
of 10 events of about 2.7 KB, and is answered when it is on the disk. CPU
seconds are the collector's own, user and system.
"""

import argparse
import gzip
import os
import tempfile
import time
from pathlib import Path

from tests.support.collectors import Collector, body_of, collecting, new_ids, send

_HEADERS = b"Content-Type: application/x-json-stream\r\nContent-Encoding: gzip\r\n"
_PAD = b'"abexp_assignmentcontext":"' + b"config.suggestions.experiment=treatment;" * 38 + b'",'


def bodies(distinct: int, events: int) -> list[bytes]:
    """Some distinct bodies, sent again and again."""
    plain = [body_of(new_ids(events)).replace(b'"unique_id"', _PAD + b'"unique_id"') for _ in range(distinct)]
    return [gzip.compress(body, 6) for body in plain]


def measure(collector: Collector, some: list[bytes], requests: int, connections: int) -> str:
    """One row: after a warm-up, so many requests over so many connections."""
    send(collector.port, some * 2, connections, _HEADERS)
    cpu_s, begun = collector.cpu_s(), time.perf_counter()
    sent = send(collector.port, (some[n % len(some)] for n in range(requests)), connections, _HEADERS)
    wall_s, cpu_s = time.perf_counter() - begun, collector.cpu_s() - cpu_s
    assert [s.status for s in sent] == [200] * requests
    waited = sorted(s.seconds * 1000 for s in sent)
    return (
        f"| {connections:>11} | {requests / wall_s:>10,.0f} | {requests / cpu_s:>14,.0f} "
        f"| {waited[len(waited) // 2]:>6.1f} | {waited[int(len(waited) * 0.99)]:>6.1f} |"
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=8000)
    parser.add_argument("--events", type=int, default=10, help="In each request. Default: 10.")
    args = parser.parse_args()
    some = bodies(50, args.events)
    print(f"{args.events} events a request, {sum(map(len, some)) // len(some):,} bytes gzipped")
    print("| connections | requests/s | requests/CPU s | p50 ms | p99 ms |\n| ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="collect-") as name, collecting(Path(name), Path(name) / "to") as collector:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(collector.process.pid, {cores[0]})
        for task in Path(f"/proc/{collector.process.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {cores[0]})
        os.sched_setaffinity(0, {cores[-1]})
        for connections in (1, 8, 64):
            print(
                measure(collector, some, args.requests if connections > 1 else args.requests // 8, connections),
                flush=True,
            )


if __name__ == "__main__":
    main()
