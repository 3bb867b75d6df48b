"""The endless job on a real broker and a real runner: what comes out, and what may happen to it meanwhile."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from schemas.errors import ExitCode, InvalidOptions
from tests.conftest import KEY_RING, read_rows, run_batch, sample
from tests.curating.test_windows import books, event
from tests.stream_outage import outage
from tests.support.brokers import Broker, as_message, kafka_broker, produce
from tests.support.servers import small_disk
from tests.support.stream_days import check_same, stamped_lines
from tests.support.stream_jobs import needs_kafka, needs_prism, streaming

pytestmark = [needs_kafka, needs_prism, pytest.mark.xdist_group("streaming")]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_broker(tmp_path_factory.mktemp("kafka") / "node") as started:
        yield started


def events(count: int, first: int = 0) -> list[tuple[bytes, dict[str, str]]]:
    now = datetime.now(UTC)
    return [as_message(event(first + n, now, n)) for n in range(count)]


def topic_of(uri: str) -> str:
    return uri.rpartition("/")[2]


def test_a_day_through_kafka_equals_the_batch_run(tmp_path: Path, broker: Broker) -> None:
    """Killed once in the middle, and gone on; one partition, so that receive order is log order."""
    stamped = stamped_lines(tmp_path / "day", 3000, 5)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "day.ndjson").write_bytes(b"\n".join(stamped))
    run_batch(tmp_path / "raw", tmp_path / "batch")
    uri = broker.create_topic("day", 1)
    with streaming(uri, tmp_path / "stream") as job:
        produce(broker.servers, "day", map(as_message, stamped[:1500]))
        job.wait_taken(1500)
        produce(broker.servers, "day", map(as_message, stamped[1500:]))
        job.kill()
    with streaming(uri, tmp_path / "stream") as job:
        job.wait_taken(len(stamped))
        assert job.stop() == 0
        assert "every window is whole" in job.text
    check_same(tmp_path / "stream", tmp_path / "batch")


def test_whatever_stands_in_a_topic_is_accounted_for(tmp_path: Path, broker: Broker) -> None:
    uri = broker.create_topic("hostile", 3)
    good, headers = as_message(event(1, datetime.now(UTC), 1))
    array = json.dumps([json.loads(as_message(event(n, datetime.now(UTC), n))[0]) for n in (2, 3, 4)]).encode()
    raw_line = event(5, datetime.now(UTC), 5)
    messages: list[tuple[bytes, dict[str, Any]]] = [
        (good, headers),
        (gzip.compress(array), headers),
        (raw_line, {}),
        (b"\xff\x00 no JSON", headers),
        (good[:-20], headers),
        (gzip.compress(array)[:-9], headers),
        (b"x" * (17 * 1024 * 1024), headers),
        (b"", headers),
        (as_message(event(6, datetime.now(UTC), 6))[0], {**headers, "received_at": "soon"}),
        (as_message(event(7, datetime.now(UTC), 7))[0], {}),
        (as_message(event(8, datetime.now(UTC), 8))[0], {**headers, "telemetry_level": "off"}),
    ]
    for compression in ("none", "gzip", "snappy", "lz4", "zstd"):
        config = {"compression.type": compression, "message.max.bytes": 30_000_000}
        produce(broker.servers, "hostile", messages, **config)
    with streaming(uri, tmp_path / "out") as job:
        job.wait_taken(5 * len(messages))
        assert job.stop() == 0
    events_read, landed, duplicate, quarantined, withheld, *_ = books(tmp_path / "out")
    assert events_read == 5 * 15  # of the array that is cut short, its whole members and the rest
    assert (landed, duplicate) == (6, 4 * 6 + 5 * 3 + 4 * 4)
    assert dict(quarantined) == {"malformed_payload": 3, "payload_too_large": 1}
    assert dict(withheld) == {"off": 10}


def test_partitions_idle_new_and_with_transactions(tmp_path: Path, broker: Broker) -> None:
    uri = broker.create_topic("parts", 3)
    with streaming(uri, tmp_path / "out", "--publish_interval=1s") as job:
        producer = Producer({"bootstrap.servers": broker.servers, "transactional.id": "t"})
        producer.init_transactions()
        for number, commits in enumerate((True, False, True)):
            producer.begin_transaction()
            for value, headers in events(10, 10 * number):
                producer.produce("parts", value, headers=headers, partition=1)  # 0 and 2 stay idle
            producer.flush()
            producer.commit_transaction() if commits else producer.abort_transaction()
        job.wait_for(lambda: len(read_rows(tmp_path / "out", "displays")) == 20)
        before = job.state
        job.wait_for(
            lambda: bool(before and job.state and job.state.whole_to_s > before.whole_to_s + 2)
        )  # goes on idle
        admin = AdminClient({"bootstrap.servers": broker.servers})
        admin.create_partitions([NewPartitions("parts", 4)])["parts"].result(30)
        producer = Producer({"bootstrap.servers": broker.servers})
        for value, headers in events(5, 100):
            producer.produce("parts", value, headers=headers, partition=3)
        producer.flush()
        job.wait_for(lambda: len(read_rows(tmp_path / "out", "displays")) == 25)
        assert job.stop() == 0
    with streaming(uri, tmp_path / "out", "--publish_interval=3s") as job:  # another interval, the same stream
        produce(broker.servers, "parts", events(3, 200))
        job.wait_for(lambda: len(read_rows(tmp_path / "out", "displays")) == 28)
        assert job.stop() == 0
    assert books(tmp_path / "out")[:3] == (28, 28, 0)


def test_a_clock_that_steps_back_loses_nothing(tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Append times that go back, as after a broker's clock was set: given by the producer here, on a real topic."""
    from confluent_kafka import TIMESTAMP_CREATE_TIME

    from transforms.core.reading.kafka import log as kafka_log
    from transforms.core.reading.kafka import messages as kafka_messages
    from transforms.core.reading.log import LogPosition

    broker.create_topic("steps", 1, {"message.timestamp.type": "CreateTime"})
    producer = Producer({"bootstrap.servers": broker.servers})
    start_ms = int(time.time() * 1000) // 10_000 * 10_000 - 60_000
    for offset_ms in (0, 1000, 9000, -30_000, 2000, 12_000):
        value, headers = events(1, offset_ms)[0]
        producer.produce("steps", value, headers=headers, timestamp=start_ms + offset_ms)
    producer.flush()
    monkeypatch.setattr(kafka_messages, "TIMESTAMP_LOG_APPEND_TIME", TIMESTAMP_CREATE_TIME)
    log = kafka_log.KafkaLog(broker.servers, "steps", {}, LogPosition({"0": 0}, start_ms), 0, 1)
    blocks = []
    while sum(len(block.requests) for _, block in blocks) < 6:
        before_ms = log.position.watermark_ms
        for time_ms, block in log.read(0.5, 10):
            assert time_ms >= before_ms, "a block is older than the watermark before it"
            blocks.append((time_ms, block))
    log.close()
    assert [(time_ms - start_ms, len(block.requests)) for time_ms, block in blocks] == [(0, 5), (12_000, 1)]
    assert [block.taken for _, block in blocks] == [[("0", 0, 5)], [("0", 5, 6)]]


def test_a_broker_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    with kafka_broker(tmp_path / "kafka") as broker:
        assert "0 lost, 0 twice" in outage(tmp_path, broker, 8, 200)


def test_a_full_disk_stops_it_and_the_next_start_repairs(tmp_path: Path, broker: Broker) -> None:
    with small_disk(tmp_path / "disk", "3m") as disk:
        uri = broker.create_topic("full", 2)
        with streaming(uri, disk / "out") as job:
            produce(broker.servers, "full", events(40))
            job.wait_taken(40)
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
                while True:
                    file.write(b"\0" * 4096)
            produce(broker.servers, "full", events(40, 40))
            assert job.process.wait(60) == ExitCode.TRY_AGAIN
            text = job.log.read_text(errors="replace")
        filler.unlink()
        assert "No space left on device" in text or not text.strip()  # the log lies on the same disk
        with streaming(uri, disk / "out") as job:
            job.wait_taken(80)
            assert job.stop() == 0
        assert books(disk / "out")[:3] == (80, 80, 0)
        assert not list((disk / "out").rglob(".writing-*"))


def test_a_watched_folder_is_taken_file_by_file(tmp_path: Path) -> None:
    folder, now = tmp_path / "in", datetime.now(UTC)
    folder.mkdir()

    def roll(name: str, first: int, count: int) -> Path:
        path = folder / name
        path.with_suffix(".tmp").write_bytes(b"".join(event(n, now, n) + b"\n" for n in range(first, first + count)))
        os.utime(path.with_suffix(".tmp"), (time.time() - 60, time.time() - 60))
        return path.with_suffix(".tmp").rename(path)

    def landed() -> int:
        return len(read_rows(tmp_path / "out", "displays")) if (tmp_path / "out" / "displays").exists() else 0

    roll("1.ndjson", 0, 30)
    with streaming(str(folder), tmp_path / "out", "--watch") as job:
        job.wait_for(lambda: landed() == 30)
        (folder / "2.ndjson.gz").write_bytes(gzip.compress(b"\n".join(event(n, now, n) for n in range(30, 50))))
        (folder / "4.ndjson.tmp").write_bytes(event(999, now, 1))
        (folder / "empty.ndjson").touch()
        job.wait_for(lambda: landed() == 50)
        roll("3.ndjson", 50, 10)
        job.kill()
    with streaming(str(folder), tmp_path / "out", "--watch") as job:
        job.wait_for(lambda: landed() == 60)
        with (folder / "1.ndjson").open("ab") as file:  # grows after it was taken: what is new in it lands
            file.write(event(60, now, 1) + b"\n")
        job.wait_for(lambda: landed() == 61)
        assert job.stop() == 0
    read, landed_, duplicate, *_ = books(tmp_path / "out")
    assert (read, landed_, duplicate) == (30 + 20 + 10 + 31, 61, 30)
    assert f"{folder}/2.ndjson.gz" in str(job.state)


def test_the_figures_are_in_the_ledger_and_in_openmetrics(tmp_path: Path, broker: Broker) -> None:
    uri = broker.create_topic("figures", 2)
    with streaming(uri, tmp_path / "out", f"--metrics_file={tmp_path}/metrics.txt") as job:
        produce(broker.servers, "figures", events(25))
        job.wait_taken(25)
        assert job.stop() == 0
    text = (tmp_path / "metrics.txt").read_text()
    assert "telemetry_events_total 25.0" in text
    assert "telemetry_lag_messages 0.0" in text
    assert text.endswith("# EOF\n")
    marks = [pq.read_table(p, partitioning=None).to_pylist()[0] for p in (tmp_path / "out").glob("ledger/*/*.parquet")]
    assert all(row["published_at"] > row["window_begin"] for row in marks)
    assert max(row["latest_received_at"] for row in marks if row["latest_received_at"]) <= datetime.now(UTC)
    shown = subprocess.run(
        [sys.executable, "-m", "pipelines.verify", f"--datasets={tmp_path}/out"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "25 payloads, 25 events" in shown.stdout
    assert "messages behind" in job.text


def test_a_topic_that_the_broker_does_not_stamp_is_refused(tmp_path: Path, broker: Broker) -> None:
    from pipelines import streaming as job

    common = [f"--output={tmp_path}/out", f"--key_ring={KEY_RING}"]
    uri = broker.create_topic("unstamped", 1, {})
    with pytest.raises(InvalidOptions, match=r"message\.timestamp\.type=CreateTime.*set it to LogAppendTime"):
        job.run([f"--input={uri}", *common])
    with pytest.raises(InvalidOptions, match="Unknown topic or partition"):
        job.run([f"--input=kafka://{broker.servers}/missing", *common])


def test_a_second_signal_ends_at_once(tmp_path: Path, broker: Broker) -> None:
    uri = broker.create_topic("twice", 1)
    with streaming(uri, tmp_path / "out", "--publish_interval=10min") as job:
        job.wait_for(lambda: job.state is not None)
        time.sleep(3)
        job.process.send_signal(signal.SIGINT)
        job.wait_for(lambda: "again to stop at once" in job.text)
        job.process.send_signal(signal.SIGTERM)
        assert job.process.wait(10) == 130
    assert sample()  # the claim of the dead holder does not keep the next start away
    with streaming(uri, tmp_path / "out", "--publish_interval=1s") as job:
        produce(broker.servers, "twice", events(5))
        job.wait_taken(5)
        assert job.stop() == 0
