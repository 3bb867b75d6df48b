"""kill -9 of the endless job at random moments while a producer never stops: nothing lost, twice, or misplaced.

    make stream_kills                       30 kills over a million messages, on Prism; 10 on Flink
    python -m tests.stream_kills --kills 3 --messages 20000
    python -m tests.stream_kills --kills 4 --messages 40000 --runner flink

On Prism, by turns, the process that reads, with which the job ends, and the whole job.
On Flink, by turns, its Python workers, which Flink starts again, and the job server with
its cluster, after which all is started anew.

After the last message every row is looked at: each event that was produced has
one row, in the file of the window in which the broker appended it. Every file
that lay there at a kill is compared with what lies there at the end, byte for
byte (ledger rows of windows that were not whole aside: they say when they were
published; marks of quiet spans grow).
"""

import argparse
import hashlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.conftest import KEY_RING, sent_id
from tests.curating.test_windows import event
from tests.support.brokers import Broker, as_message, kafka_broker, produce
from tests.support.flink_servers import Flink, flink_cluster
from tests.support.stream_jobs import StreamJob
from transforms.core.keys import keyring
from transforms.core.keys.pseudonym_columns import hex_column
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output import stream_state
from transforms.core.output.landing import Landing
from transforms.core.output.layout import Output
from transforms.core.output.ledger import differences, imbalances, read_marks
from transforms.core.reading.open_log import stream_digest
from transforms.core.shuffle.windows import window_end_s

TOPIC = "kills"
_ID = "8f1d7a52-0000-4000-8000-{:012d}"
_COMPLETION = "d2b10000-0000-4000-8000-{:012d}"


class Producing(threading.Thread):
    """Writes messages at an even rate until all are written."""

    def __init__(self, broker: Broker, messages: int, per_second: float) -> None:
        super().__init__(daemon=True)
        self._broker, self._messages, self._per_second = broker, messages, per_second
        self.written = 0

    def run(self) -> None:
        value, headers = as_message(event(0, datetime.now(UTC), 0))
        template = value.decode().replace(_ID.format(0), "{id}", 1).replace(f"{0:064x}", "{person}")
        template = template.replace(_COMPLETION.format(0), "{completion}")
        headers.pop("client_ip")  # no key: all partitions are written to
        headers.pop("received_at")  # the broker's append time is the receive time, so that rows tell their window
        begun = time.monotonic()

        def messages() -> object:
            for number in range(self._messages):
                ahead = number / self._per_second - (time.monotonic() - begun)
                if ahead > 0.05:
                    time.sleep(ahead)
                text = template.replace("{id}", _ID.format(number)).replace("{person}", f"{number % 5000:064x}")
                text = text.replace("{completion}", _COMPLETION.format(number // 3))
                self.written = number + 1
                yield text.encode(), headers

        produce(self._broker.servers, TOPIC, messages(), **{"enable.idempotence": True})  # type: ignore[arg-type]


def digests(output: Path, stream: str, whole_to_s: int) -> dict[str, str]:
    """Every file's digest by its place; ledger rows only of whole windows in which something came."""
    found = {}
    for path in output.glob("*/received_date=*/*.parquet"):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # a quiet span's mark grows by a new name
            continue
        if path.parts[-3] == "ledger":
            end_s = window_end_s(path.name.rpartition("-")[0], stream) or 0
            if end_s > whole_to_s or not pq.read_table(pa.BufferReader(data))["window_rows"][0].as_py():
                continue
        found["/".join(path.parts[-3:])] = hashlib.blake2b(data).hexdigest()
    return found


def check_books(output: Path) -> None:
    """Exits where the ledger does not balance, or differs from the files."""
    marks = read_marks(Output(str(output)))
    problems = [*imbalances(marks), *differences(Output(str(output)), marks)]
    if problems:
        sys.exit(f"the books do not balance: {problems[:3]}")


def check_rows(output: Path, stream: str, messages: int) -> str:
    """Every event once, in the window of its append time; exits where it is not so."""
    ring = keyring.load(KEY_RING)
    made = pa.array([sent_id(ring, "event", f"{n % 5000:064x}", _ID.format(n)) for n in range(messages)], pa.binary(16))
    expected, ids, misplaced, files = hex_column(made), [], 0, 0
    landing = Landing.of(Output(str(output)), step_keys_of(ring).landing)
    for path in output.glob("displays/*/*.parquet"):
        table = pq.read_table(path, columns=["event_id", "key_id", "received_at"], partitioning=None)
        end_s = window_end_s(path.name.rpartition("-")[0], stream) or 0
        begin, end = datetime.fromtimestamp(end_s, UTC) - timedelta(seconds=2), datetime.fromtimestamp(end_s, UTC)
        inside = pc.and_(pc.greater_equal(table["received_at"], begin), pc.less(table["received_at"], end))
        misplaced += table.num_rows - (pc.sum(inside).as_py() or 0)
        ids.append(landing.from_files("displays", table)["event_id"].combine_chunks())
        files += 1
    found = pa.concat_arrays([i if isinstance(i, pa.Array) else i.chunk(0) for i in ids])
    distinct = len(found.unique())
    lost = messages - (pc.sum(pc.is_in(expected, value_set=found)).as_py() or 0)
    if lost or distinct != len(found) or misplaced or len(found) != messages:
        sys.exit(f"{lost} lost, {len(found) - distinct} twice, {misplaced} in a wrong window, {len(found)} rows")
    return f"{messages} rows in {files} files: 0 lost, 0 twice, 0 in a wrong window"


def strike(number: int, job: StreamJob, flink: Flink | None, flags: list[str]) -> StreamJob:
    """Kills; gives the job that goes on."""
    if flink is not None and number % 2 == 0:
        for worker in flink.workers():
            os.kill(worker, signal.SIGKILL)
        return job
    if flink is None and number % 2 == 0:
        os.kill(job.reader, signal.SIGKILL)
        job.process.wait(60)
    elif flink is None:
        job.kill()
    else:
        flink.kill()
        job.process.wait(120)
        flink.start()
    return StreamJob(job.uri, job.output, *flags)


def campaign(folder: Path, broker: Broker, kills: int, messages: int, seed: int, flink: Flink | None = None) -> str:
    """Runs it; returns the figures."""
    rng, output, uri = random.Random(seed), folder / "out", broker.create_topic(TOPIC, 4)
    stream, gap_s = stream_digest(uri), (8.0, 20.0) if flink is None else (20.0, 35.0)
    flags = [] if flink is None else flink.flags
    producing = Producing(broker, messages, messages / max(kills * sum(gap_s) / 2, 10.0))
    producing.start()
    snapshots: list[dict[str, str]] = []
    begun = time.monotonic()
    job = StreamJob(uri, output, *flags)
    for number in range(kills):
        time.sleep(rng.uniform(*gap_s))
        if job.process.poll() is not None:
            sys.exit(f"before kill {number} the job ended with {job.process.returncode}: {job.text[-2000:]}")
        state = stream_state.load(Output(str(output)), stream)
        snapshots.append(digests(output, stream, state.whole_to_s if state else 0))
        job = strike(number, job, flink, flags)
        if sys.stderr.isatty():
            print(f"{number + 1} of {kills} kills, {producing.written} messages", end="\r", file=sys.stderr)
    producing.join()
    job.wait_taken(messages, 900)
    if (code := job.stop()) != 0:
        sys.exit(f"the last run ended with {code}: {job.text[-2000:]}")
    last = digests(output, stream, 2**40)
    compared = sum(len(found) for found in snapshots)
    changed = sorted({name for found in snapshots for name, digest in found.items() if last.get(name) != digest})
    if changed:
        sys.exit(f"{len(changed)} files changed after a kill: {changed[:5]}")
    check_books(output)
    rows = check_rows(output, stream, messages)
    again = job.text.count("reading again")
    return (
        f"{kills} kills in {time.monotonic() - begun:.0f} s; {rows}; "
        f"{compared} files seen at kills, all the same at the end; {again} unbalanced windows read again"
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runner", choices=("prism", "flink"), default="prism")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stream-kills-") as name, kafka_broker(Path(name) / "kafka") as broker:
        folder = Path(name)
        with flink_cluster(folder / "flink") if args.runner == "flink" else nullcontext() as flink:
            figures = campaign(folder, broker, args.kills, args.messages, args.seed, flink)
            print(f"{args.runner}, seed {args.seed}: {figures}")


if __name__ == "__main__":
    main()
