"""A broker that is killed, gone for a while and back, while collectors never stop: nothing lost, twice, or misplaced.

make stream_kills                       after the kills: gone for 60 s
python -m tests.stream_outage --gone_s 10
"""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.stream_kills import TOPIC, Producing, check_books, check_rows
from tests.support.brokers import Broker, kafka_broker
from tests.support.stream_jobs import streaming
from transforms.core.reading.open_log import stream_digest

_AROUND_S = 10.0


def outage(folder: Path, broker: Broker, gone_s: float, per_second: float) -> str:
    """Runs it; returns the figures, exits where one is not as it has to be."""
    uri, output = broker.create_topic(TOPIC, 4), folder / "out"
    messages = int(per_second * (gone_s + 2 * _AROUND_S))
    with streaming(uri, output, "--job_server_timeout=4") as job:  # which says nothing about how long it runs
        producing = Producing(broker, messages, per_second)
        producing.start()
        job.wait_for(lambda: job.taken > 0)
        time.sleep(_AROUND_S)
        broker.stop(signal.SIGKILL)
        time.sleep(gone_s)
        job.check_alive()
        before, back_at = job.taken, time.monotonic()
        broker.start()
        job.wait_for(lambda: job.taken > before)
        again_s = time.monotonic() - back_at
        producing.join()
        job.wait_taken(messages)
        if (code := job.stop()) != 0:
            sys.exit(f"the job ended with {code}: {job.text[-2000:]}")
    check_books(output)
    rows = check_rows(output, stream_digest(uri), messages)
    return (
        f"gone for {gone_s:.0f} s at {per_second:.0f} messages/s; {rows}; published again {again_s:.1f} s after start"
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gone_s", type=float, default=60)
    parser.add_argument("--per_second", type=float, default=2000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stream-outage-") as name, kafka_broker(Path(name) / "kafka") as broker:
        print(outage(Path(name), broker, args.gone_s, args.per_second))


if __name__ == "__main__":
    main()
