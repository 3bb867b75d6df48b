"""Nothing that was acknowledged is lost: kills, full disks, an end in order, a broker that is gone."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer

from schemas.errors import InvalidOptions
from tests.collect_kills import campaign
from tests.support.brokers import Broker, kafka_broker
from tests.support.collectors import Collector, body_of, collecting, new_ids, send, stored_ids
from tests.support.servers import small_disk
from tests.support.stream_jobs import needs_kafka


def hidden(folder: Path) -> list[Path]:
    return sorted(folder.glob(".requests-*"))


def test_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    found = campaign(tmp_path, events=3000, kills=3, pause_s=2.0)
    assert found.acknowledged >= 3000
    assert (found.lost, found.kills, found.hidden) == (0, 3, [])


def padded(ids: list[str]) -> bytes:
    """A body of 60 KB that does not compress."""
    return body_of(ids).replace(b'"python"', b'"%s"' % os.urandom(30_000).hex().encode())


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (100_000, 1000):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


def test_a_full_disk_is_answered_503_and_loses_nothing(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", "4m") as disk,
        collecting(tmp_path, disk / "to", "--roll_interval=1s") as running,
    ):
        acknowledged: list[str] = []
        refused: list[str] = []
        for turn in range(3):
            for _ in range(4):
                ids = [new_ids(2) for _ in range(6)]
                for sent in send(running.port, [padded(one) for one in ids], 3):
                    (acknowledged if sent.status == 200 else refused).extend(ids[sent.number])
                    assert sent.status in (200, 503)
                if refused:
                    break
                fill(disk / f"filler{turn}")
            assert refused
            assert running.text.count("cannot store: No space left on device") == turn + 1
            (disk / f"filler{turn}").unlink()
            later = new_ids(2)
            assert send(running.port, [padded(later)])[0].status == 200
            acknowledged += later
            refused.clear()
            assert running.text.count("storing again") == turn + 1
        assert running.metric("collect_failed_records_total") > 0
        assert running.stop() == 0
        assert not hidden(disk / "to")
        assert set(acknowledged) <= set(stored_ids(disk / "to"))
        assert len(acknowledged) >= 12


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order(tmp_path: Path, number: int) -> None:
    running = Collector(tmp_path, tmp_path / "to")
    bodies = [new_ids(3) for _ in range(4000)]
    answers: list[Any] = []
    sender = threading.Thread(target=lambda: answers.extend(send(running.port, (body_of(ids) for ids in bodies), 8)))
    sender.start()
    time.sleep(1.0)
    assert running.stop(number) == 0
    sender.join()
    assert {a.status for a in answers} <= {200, 0}
    acknowledged = {one for a in answers if a.status == 200 for one in bodies[a.number]}
    assert 0 < len(acknowledged) < 12_000
    assert acknowledged == set(stored_ids(tmp_path / "to")), "in flight is answered, then nothing more is taken"
    assert not hidden(tmp_path / "to")
    assert "everything that was acknowledged is handed on" in running.text


def test_overload_is_a_503_with_a_short_text(tmp_path: Path) -> None:
    with collecting(tmp_path, tmp_path / "to", "--max_held_mb=16", "--max_request_kb=16384") as running:
        big = body_of(new_ids(1)).replace(b'"python"', b'"%s"' % (b"x" * 9_000_000))
        sent = send(running.port, [big] * 8, 8)
        assert {s.status for s in sent} == {200, 503}
        assert running.metric("collect_held_bytes") == 0
        assert send(running.port, [big])[0].status == 200


def test_more_connections_than_allowed_are_a_503_with_a_text(tmp_path: Path) -> None:
    with collecting(tmp_path, tmp_path / "to", "--max_connections=8") as running:
        idle = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(8)]
        time.sleep(0.2)
        assert send(running.port, [body_of(new_ids(1))])[0].status == 503
        for one in idle:
            one.close()
        until, status = time.monotonic() + 10, 503
        while status == 503 and time.monotonic() < until:
            status = send(running.port, [body_of(new_ids(1))])[0].status
        assert status == 200


def test_two_collectors_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = new_ids(3), new_ids(3)
    with collecting(tmp_path / "a", tmp_path / "to") as one:
        send(one.port, [body_of(first)])
        with collecting(tmp_path / "b", tmp_path / "to") as other:
            assert len(hidden(tmp_path / "to")) == 1, "the second one leaves the file of the first alone"
            send(other.port, [body_of(second)])
    assert sorted(stored_ids(tmp_path / "to")) == sorted([*first, *second])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_broker(tmp_path_factory.mktemp("kafka") / "broker") as running:
        yield running


def consumed(servers: str, topic: str, count: int) -> list[Any]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found: list[Any] = []
    until = time.monotonic() + 30
    while len(found) < count and time.monotonic() < until:
        found += [m for m in consumer.consume(100, 1.0) if m.error() is None]
    consumer.close()
    return found


@needs_kafka
@pytest.mark.xdist_group("streaming")
def test_a_topic_gets_bodies_with_their_stamp_in_headers(tmp_path: Path, broker: Broker) -> None:
    uri = broker.create_topic("collected", 2)
    with collecting(tmp_path, uri) as running:
        ids = [new_ids(3) for _ in range(50)]
        sent = send(running.port, [body_of(one) for one in ids], headers=b"Content-Type: application/x-json-stream\r\n")
        assert {s.status for s in sent} == {200}
    messages = consumed(broker.servers, "collected", 50)
    assert sorted(m.value() for m in messages) == sorted(body_of(one) for one in ids)
    headers = dict(messages[0].headers())
    assert headers["received_at"].startswith(b"20")
    assert headers["received_at"].endswith(b"+00:00")
    del headers["received_at"]
    assert headers == {
        "client_ip": b"127.0.0.1",
        "telemetry_level": b"all",
        "snippet_consent": b"true",
        "content_type": b"application/x-json-stream",
    }


@needs_kafka
@pytest.mark.xdist_group("streaming")
def test_a_body_longer_than_the_topic_takes_is_413(tmp_path: Path, broker: Broker) -> None:
    uri = broker.create_topic("small", 1, {"max.message.bytes": "20000", "message.timestamp.type": "LogAppendTime"})
    with collecting(tmp_path, uri) as running:
        long = body_of(new_ids(1)).replace(b'"python"', b'"%s"' % os.urandom(30_000).hex().encode())
        assert [s.status for s in send(running.port, [long])] == [413]
        assert [s.status for s in send(running.port, [body_of(new_ids(1))])] == [200]


@needs_kafka
@pytest.mark.xdist_group("streaming")
def test_a_broker_that_is_gone_is_answered_503_and_come_back_to(tmp_path: Path) -> None:
    with kafka_broker(tmp_path / "kafka") as broker, collecting(tmp_path, broker.create_topic("gone", 1)) as running:
        first, second = new_ids(1), new_ids(1)
        assert send(running.port, [body_of(first)])[0].status == 200
        broker.stop(signal.SIGKILL)
        begun = time.monotonic()
        assert send(running.port, [body_of(second)])[0].status == 503
        assert time.monotonic() - begun < 15, "the clients wait 20 s"
        assert "cannot store: " in running.text
        broker.start()
        until = time.monotonic() + 60
        status = 503
        while status != 200 and time.monotonic() < until:
            status = send(running.port, [body_of(second)])[0].status
        assert status == 200
        assert {body_of(first), body_of(second)} <= {m.value() for m in consumed(broker.servers, "gone", 2)}
        assert running.stop() == 0


@needs_kafka
@pytest.mark.xdist_group("streaming")
def test_a_topic_that_is_not_there_is_refused(tmp_path: Path, broker: Broker) -> None:
    from pipelines.collector.topic import Topic

    with pytest.raises(InvalidOptions, match=r"--to kafka://.*missing"):
        Topic(broker.servers, "missing", {}, 1000, 5.0)
