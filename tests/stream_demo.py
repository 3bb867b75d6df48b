"""A broker, a producer and the endless job, live: what `make stream` runs. Ctrl-C ends all of it.

python -m tests.stream_demo --per_second 200 --publish_interval 10s
"""

import argparse
import signal
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from pipelines.running.command import run_job
from tests.support.brokers import KAFKA_JARS, PRISM, kafka_broker, produce
from tests.support.feeds import Feed, templates
from tests.support.stream_jobs import StreamJob

TOPIC = "telemetry"


def figures(path: Path) -> dict[str, float]:
    """The job's own OpenMetrics file."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: float(value) for name, value in (x.split(" ", 1) for x in lines if not x.startswith("#"))}


def view(job: StreamJob, metrics: Path) -> str:
    """One line about the job."""
    found = figures(metrics)
    if not found:
        return "starting: the first window comes soon"
    windows = found["telemetry_freshness_seconds_count"]
    fresh = found["telemetry_freshness_seconds_sum"] / max(windows, 1)
    files = sum(1 for _ in job.output.glob("*/received_date=*/*.parquet"))
    whole_to = datetime.fromtimestamp(found["telemetry_whole_to_seconds"], UTC)
    return (
        f"{whole_to:%H:%M:%S}Z | {found['telemetry_events_total']:,.0f} events, {found['telemetry_rows_total']:,.0f} rows "
        f"in {files:,} files | {windows:.0f} windows, readable {fresh:.1f} s after their end on average | "
        f"{found.get('telemetry_lag_messages', 0):,.0f} messages behind"
    )


def show(job: StreamJob, metrics: Path) -> None:
    """Until Ctrl-C, or until the job ends by itself."""
    is_terminal, shown = sys.stderr.isatty(), ""
    while job.process.poll() is None:
        text = view(job, metrics)
        if is_terminal:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif text != shown:
            print(text, file=sys.stderr, flush=True)
        shown = text
        time.sleep(1)
    print(job.text, file=sys.stderr)


def main(argv: list[str]) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per_second", type=float, default=200, help="Events a second. Default: 200.")
    parser.add_argument("--publish_interval", default="10s", help="As for the job. Default: 10s.")
    args = parser.parse_args(argv)
    if not (KAFKA_JARS.exists() and PRISM.exists()):
        sys.exit("Kafka and Prism are needed: make tools (it needs Go, Java and Maven)")
    with tempfile.TemporaryDirectory(prefix="stream-") as name, kafka_broker(Path(name) / "kafka") as broker:
        folder, uri = Path(name), broker.create_topic(TOPIC, 4)
        feed = Feed(templates(folder / "day", 5000), args.per_second)
        producer = threading.Thread(target=produce, args=(broker.servers, TOPIC, feed))
        producer.start()
        print(f"{uri} -> {folder}/out; Ctrl-C ends it", file=sys.stderr, flush=True)
        metrics = folder / "metrics.txt"
        job = StreamJob(
            uri,
            folder / "out",
            f"--publish_interval={args.publish_interval}",
            f"--metrics_file={metrics}",
            own_session=True,
        )
        try:
            show(job, metrics)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            print("\nstopping: the window is finished first", file=sys.stderr, flush=True)
        finally:
            feed.ended.set()
            producer.join()
            code = job.stop() if job.process.poll() is None else job.process.returncode
            print(f"the job ended with {code}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_job(lambda argv: main(list(argv)))
