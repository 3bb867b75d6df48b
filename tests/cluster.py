"""The jobs on a Flink cluster of several processes, held against a local run: what `make cluster` runs.

    make cluster                         a day of 60,000 events, and one of 6,000 through a topic
    python -m tests.cluster --events 20000 --messages 3000 --task_managers 3

Started are a job manager, task managers, Beam's job server, a pool of Python workers and a Kafka broker, each a process
of its own. The batch job runs there three times: left alone, with Python workers killed while they read, and with a
task manager killed. The streaming job runs there once, and in the middle a Python worker and a task manager are killed.
Every dataset must have the rows of a local batch run, and the books must balance.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipelines import generate, verify
from pipelines.running.command import run_job
from tests.conftest import KEY_RING, all_rows, run_batch
from tests.support.brokers import KAFKA_JARS, Broker, as_message, kafka_broker, produce
from tests.support.flink_servers import FLINK_JARS, FlinkCluster, standalone_cluster
from tests.support.stream_days import check_same, stamped_lines
from tests.support.stream_jobs import StreamJob

TOPIC = "cluster"


def kill_workers(cluster: FlinkCluster, reading: Path | None) -> str:
    """Those that read a folder now, or all of them."""
    workers = cluster.workers() if reading is None else cluster.reading(reading)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    return f"{len(workers)} Python workers killed"


def kill_task_manager(cluster: FlinkCluster) -> str:
    """The first one; another one comes, as an operator of containers brings it."""
    cluster.kill_task_manager("tm0")
    cluster.start_task_manager("tm0")
    return "a task manager killed"


def batch(cluster: FlinkCluster, raw: Path, output: Path, strike: Callable[[], str] | None = None) -> str:
    """Runs the batch job as a command; strikes while its workers read."""
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.batch", f"--input={raw}", f"--output={output}"]
    log = output.with_suffix(".log")
    begun, told = time.monotonic(), "left alone"
    with log.open("wb") as out:
        job = subprocess.Popen(
            [*command, f"--key_ring={KEY_RING}", "--buckets=4", *cluster.flags], stdout=out, stderr=out
        )
    while strike and not cluster.reading(raw) and job.poll() is None:
        time.sleep(0.01)
    if strike:
        told = strike()
    if (code := job.wait(900)) != 0:
        sys.exit(f"batch, {told}: exit code {code}: {log.read_text()[-2000:]}")
    found = cluster.jobs()[-1]["jid"]
    if strike and not cluster.failures_of(found):
        sys.exit(f"batch, {told}: the job did not fail, so nothing was tried")
    return (
        f"batch, {told}: {time.monotonic() - begun:.0f} s on {len(cluster.hosts_of(found))} task managers, "
        f"{len(cluster.failures_of(found))} tries again"
        + "".join(f"\n    {cause}" for cause in cluster.failures_of(found))
    )


def check_batch(output: Path, local: Path) -> None:
    """Exits where a dataset differs, or the books do not balance."""
    expected, found = all_rows(local), all_rows(output)
    if different := [name for name in {*expected, *found} if expected.get(name) != found.get(name)]:
        sys.exit(f"{output.name}: other rows in {', '.join(sorted(different))}")
    verify.main([f"--datasets={output}"])


def stream(cluster: FlinkCluster, broker: Broker, folder: Path, messages: int) -> str:
    """A day through a topic; killed in the middle are a worker and a task manager."""
    lines = stamped_lines(folder / "day", messages, 5)
    (folder / "ndjson").mkdir()
    (folder / "ndjson" / "day.ndjson").write_bytes(b"\n".join(lines))
    run_batch(folder / "ndjson", folder / "local")
    uri, half = broker.create_topic(TOPIC, 1), len(lines) // 2  # of one partition receive order is log order
    begun = time.monotonic()
    flags = [*cluster.flags, "--parallelism=1", "--checkpointing_interval=2000", "--publish_interval=4s"]
    job = StreamJob(uri, folder / "stream", *flags)
    try:
        produce(broker.servers, TOPIC, map(as_message, lines[:half]))
        job.wait_taken(half, 240)
        told = kill_workers(cluster, None)
        produce(broker.servers, TOPIC, map(as_message, lines[half : half + half // 2]))
        job.wait_taken(half + half // 2, 240)
        told = f"{told}, {kill_task_manager(cluster)}"
        produce(broker.servers, TOPIC, map(as_message, lines[half + half // 2 :]))
        job.wait_taken(len(lines), 240)
        if (code := job.stop()) != 0:
            sys.exit(f"streaming: exit code {code}: {job.text[-2000:]}")
    finally:
        if job.process.poll() is None:
            job.kill()
    check_same(folder / "stream", folder / "local")
    return f"streaming, {told}: {len(lines)} messages, {time.monotonic() - begun:.0f} s"


def main(argv: list[str]) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--messages", type=int, default=6_000)
    parser.add_argument("--task_managers", type=int, default=2)
    args = parser.parse_args(argv)
    if not (KAFKA_JARS.exists() and FLINK_JARS.exists()):
        sys.exit("Kafka and Flink are needed: make tools (it needs Java and Maven)")
    with tempfile.TemporaryDirectory(prefix="cluster-") as name:
        folder = Path(name)
        generate.main([f"--output={folder}/raw-day", f"--events={args.events}", "--seed=9", "--date=2026-03-29"])
        raw = folder / "raw-day" / "raw"
        run_batch(raw, folder / "local")
        with standalone_cluster(folder / "flink", args.task_managers) as cluster:
            strikes = (None, lambda: kill_workers(cluster, raw), lambda: kill_task_manager(cluster))
            for number, strike in enumerate(strikes):
                print(batch(cluster, raw, folder / f"batch{number}", strike), flush=True)
                check_batch(folder / f"batch{number}", folder / "local")
            cluster.wait_for_task_managers()
            (folder / "topic").mkdir()
            with kafka_broker(folder / "kafka") as broker:
                print(stream(cluster, broker, folder / "topic", args.messages), flush=True)
    print("every dataset has the rows of a local run; the books balance")


if __name__ == "__main__":
    run_job(lambda argv: main(list(argv)))
