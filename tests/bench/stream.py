"""Measures the endless job on this machine: backlog, the load at which it keeps up, freshness and memory at half of it.

    make bench                                  after the batch job; half load for 15 minutes
    python -m tests.bench.stream --minutes 2

Events are generated ones of about 2.7 KB without code, each round of them with
ids of their own, on a topic of four partitions. Broker, producer, Prism and the
job share the machine's cores.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import pyarrow.parquet as pq

from tests.support.brokers import KAFKA_JARS, PRISM, Broker, kafka_broker, produce
from tests.support.feeds import Feed, Template, templates
from tests.support.stream_jobs import StreamJob, children, streaming

INTERVAL_S = 10
STEP_S = 60
SHARES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
"""Of the backlog's rate."""
_PRODUCER = {"linger.ms": 50, "batch.size": 1_000_000}
"""As collectors of such loads are set: with 5 ms and 16 KB the broker took twice the CPU time, of the same two cores."""

FLAGS = (
    f"--publish_interval={INTERVAL_S}s",
    "--buckets=4",
    "--lookback=2min",
    "--suggestion_horizon=2min",
    "--allowed_lateness=5s",
)
"""Rows of open suggestions are kept for the horizon, what they are attached to and keys for the lookback beyond: with
2 minutes each, what is kept is level within the first third of the 15 that are measured."""


def memory_mb(job: StreamJob) -> tuple[int, int]:
    """Resident memory of the job's two processes together, which must be alive, and of Prism."""
    job.check_alive()

    def resident(pid: int) -> int:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS")), 0)  # none yet: a fork

    reader = job.reader
    others = [pid for pid in children(job.process.pid) if pid != reader]
    return resident(job.process.pid) + resident(reader), sum(map(resident, others))


def cpu_s(job: StreamJob) -> float:
    """CPU seconds of the job's two processes so far, Prism aside."""
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in (job.process.pid, job.reader)]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / 100


def backlog(folder: Path, broker: Broker, made: list[Template], events: int) -> float:
    """Events a second from a topic that is full already; start-up left out."""
    uri = broker.create_topic("backlog", 4)
    produce(broker.servers, "backlog", Feed(made, 1e9, events))
    with streaming(uri, folder / "backlog", *FLAGS) as job:
        job.wait_for(lambda: "going on from" in job.text)
        begun, cpu_before, peak = time.monotonic(), cpu_s(job), (0, 0)
        while job.taken < events:
            peak = tuple(map(max, peak, memory_mb(job)))  # type: ignore[assignment]
            time.sleep(0.2)
        took_s, cpu = time.monotonic() - begun, cpu_s(job) - cpu_before
        job.kill()
    print(
        f"| backlog of {events:,} | {events / took_s:,.0f} events/s, {cpu / events * 1e6:.0f} us CPU an event; "
        f"at most {peak[0]} MB, Prism {peak[1]} MB |",
        flush=True,
    )
    return events / took_s


@contextmanager
def feeding(broker: Broker, topic: str, feed: Feed) -> Iterator[None]:
    producer = threading.Thread(target=produce, args=(broker.servers, topic, feed), kwargs=_PRODUCER)
    producer.start()
    try:
        yield
    finally:
        feed.ended.set()
        producer.join()


def sustained(folder: Path, broker: Broker, made: list[Template], rate: float) -> float:
    """The largest of these loads at which the lag does not grow."""
    uri, kept = broker.create_topic("sustained", 4), 0.0
    feed = Feed(made, rate * SHARES[0])
    with streaming(uri, folder / "sustained", *FLAGS) as job, feeding(broker, "sustained", feed):
        job.wait_for(lambda: job.taken > 0)
        for share in SHARES:
            feed.set_rate(rate * share)
            time.sleep(STEP_S)
            behind_s = (feed.given - job.taken) / (rate * share)
            if behind_s > 2 * INTERVAL_S + 2:  # one window is open, one is being published
                break
            kept = rate * share
        job.kill()
    print(f"| sustained for {STEP_S} s | {kept:,.0f} events/s |", flush=True)
    return kept


def half_load(folder: Path, broker: Broker, made: list[Template], rate: float, minutes: float) -> None:
    """Freshness and memory over minutes."""
    uri, samples = broker.create_topic("half", 4), []
    feed = Feed(made, rate)
    with streaming(uri, folder / "half", *FLAGS) as job, feeding(broker, "half", feed):
        job.wait_for(lambda: job.taken > 0)
        begun_s = time.time()
        until = time.monotonic() + 60 * minutes
        while time.monotonic() < until:
            samples.append(memory_mb(job))
            time.sleep(5)
        job.kill()
    fresh: dict[object, float] = {}
    for path in (folder / "half").glob("ledger/*/*.parquet"):
        row = pq.read_table(path, partitioning=None).to_pylist()[0]
        if row["window_end"].timestamp() > begun_s + INTERVAL_S:
            age_s = (row["published_at"] - row["window_end"]).total_seconds()
            fresh[row["window_end"]] = max(age_s, fresh.get(row["window_end"], 0.0))
    cuts = quantiles(fresh.values(), n=20)
    print(f"| half load, {rate:,.0f} events/s | readable {median(fresh.values()):.1f} s after the window's end (median), "
          f"{cuts[18]:.1f} s (p95), {len(fresh)} windows |")  # fmt: skip
    third = len(samples) // 3
    parts = (samples[third : 2 * third], samples[2 * third :])
    job_mb, prism_mb = ([round(median(s[i] for s in part)) for part in parts] for i in (0, 1))
    print(f"| memory over {minutes:.0f} min | job {job_mb[0]} MB in the second third, {job_mb[1]} MB in the last; "
          f"Prism {prism_mb[0]} and {prism_mb[1]} MB |", flush=True)  # fmt: skip


def main() -> None:
    """The command; prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--minutes", type=float, default=15)
    args = parser.parse_args()
    if not (KAFKA_JARS.exists() and PRISM.exists()):
        print("left out: the streaming job, as Kafka or Prism is not there (make tools)")
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as name, kafka_broker(Path(name) / "kafka") as broker:
        folder = Path(name)
        made = templates(folder / "day", 50_000, with_rubbish=False, with_code=False)
        size = sum(len(one.of_round(0)) for one in made) / len(made)
        print(
            f"\nstreaming, events of {size:,.0f} bytes, windows of {INTERVAL_S} s\n\n| | |\n| --- | --- |", flush=True
        )
        rate = backlog(folder, broker, made, args.events)
        kept = sustained(folder, broker, made, rate)
        half_load(folder, broker, made, kept / 2, args.minutes)


if __name__ == "__main__":
    main()
