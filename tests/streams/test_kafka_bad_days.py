"""A topic that is not what it was: made anew, of another cluster, or emptied by retention before it was read."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from pipelines import verify
from schemas.errors import SourceUnavailable
from tests.conftest import read_rows
from tests.curating.test_windows import books
from tests.streams.test_streaming import events
from tests.support.brokers import Broker, kafka_broker, produce
from tests.support.stream_jobs import StreamJob, needs_kafka, needs_prism, streaming
from transforms.core.output import stream_state
from transforms.core.output.layout import Output
from transforms.core.output.ledger import read_marks
from transforms.core.reading.kafka.log import KafkaLog
from transforms.core.reading.log import LogPosition
from transforms.core.reading.open_log import stream_digest

pytestmark = [needs_kafka, needs_prism, pytest.mark.xdist_group("streaming")]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_broker(tmp_path_factory.mktemp("kafka") / "node") as started:
        yield started


def made_anew(broker: Broker, topic: str, partitions: int = 1) -> str:
    admin = AdminClient({"bootstrap.servers": broker.servers})
    admin.delete_topics([topic])[topic].result(30)
    for _ in range(100):
        time.sleep(0.1)
        if topic not in admin.list_topics(timeout=10).topics:
            break
    return broker.create_topic(topic, partitions)


def removed_to(broker: Broker, topic: str, offset: int, partition: int = 0) -> None:
    admin = AdminClient({"bootstrap.servers": broker.servers})
    for future in admin.delete_records([TopicPartition(topic, partition, offset)]).values():
        future.result(30)


def ran(uri: str, output: Path, count: int, *more: str) -> StreamJob:
    """Runs until so many rows have landed."""
    with streaming(uri, output, "--publish_interval=1s", *more) as job:
        job.wait_for(lambda: len(read_rows(output, "displays")) == count)
        assert job.stop() == 0
    return job


def refused(uri: str, output: Path, *more: str) -> str:
    """The line with which it ends."""
    with streaming(uri, output, "--publish_interval=1s", *more) as job:
        assert job.process.wait(60) == 1
    line = job.text.strip().splitlines()[-1]
    assert line.startswith("error: ")
    return line


def lost_in(output: Path) -> dict[str, int]:
    lost: dict[str, int] = {}
    for mark in read_marks(Output(str(output))):
        for part, count in mark.row["lost_messages"] or ():
            lost[part] = lost.get(part, 0) + count
    return lost


def forget_state(uri: str, output: Path) -> None:
    (output / f"_stream-{stream_digest(uri)}.json").unlink()


def test_a_topic_made_anew_while_stopped(tmp_path: Path, broker: Broker) -> None:
    out = tmp_path / "out"
    uri = broker.create_topic("anew", 1)
    produce(broker.servers, "anew", events(20))
    ran(uri, out, 20)
    made_anew(broker, "anew")
    produce(broker.servers, "anew", events(30, 100))  # more than before: positions of the old topic would fit
    before = stream_state.load(Output(str(out)), stream_digest(uri))
    assert "was deleted and made anew" in refused(uri, out)
    assert "--start new_topic" in refused(uri, out, "--start=earliest_left")
    assert stream_state.load(Output(str(out)), stream_digest(uri)) == before
    ran(uri, out, 50, "--start=new_topic")
    produce(broker.servers, "anew", events(5, 200))
    ran(uri, out, 55, "--start=new_topic")  # a flag that stays in a unit's file does nothing more
    forget_state(uri, out)
    produce(broker.servers, "anew", events(5, 300))
    ran(uri, out, 60)
    assert books(out)[:3] == (60, 60, 0)
    verify.main([f"--datasets={out}"])
    made_anew(broker, "anew")
    forget_state(uri, out)
    assert "is none of those that this output has read" in refused(uri, out)


def test_a_topic_made_anew_while_it_is_read(tmp_path: Path, broker: Broker) -> None:
    out = tmp_path / "out"
    uri = broker.create_topic("swapped", 1)
    with streaming(uri, out, "--publish_interval=2s") as job:
        produce(broker.servers, "swapped", events(20))
        job.wait_taken(20)
        made_anew(broker, "swapped")
        produce(broker.servers, "swapped", events(40, 100))
        assert job.process.wait(60) == 1
        line = job.text.strip().splitlines()[-1]
    assert "topic swapped" in line
    assert "--start new_topic" in line
    assert job.taken == 20
    ran(uri, out, 60, "--start=new_topic")
    assert books(out)[1] == 60
    verify.main([f"--datasets={out}"])


def test_another_cluster_under_the_same_name(tmp_path: Path, broker: Broker) -> None:
    out = tmp_path / "out"
    uri = broker.create_topic("moved", 1)
    produce(broker.servers, "moved", events(10))
    ran(uri, out, 10)
    with kafka_broker(tmp_path / "other") as other:
        moved = other.create_topic("moved", 1)
        produce(other.servers, "moved", events(15))
        assert "is of another cluster" in refused(moved, out)
        ran(moved, out, 15, "--start=new_topic")
    assert books(out)[1:3] == (15, 10)


def test_what_retention_took_is_refused_then_counted_as_lost(tmp_path: Path, broker: Broker) -> None:
    out = tmp_path / "out"
    uri = broker.create_topic("expired", 1)
    produce(broker.servers, "expired", events(10))
    ran(uri, out, 10)
    produce(broker.servers, "expired", events(20, 100))
    removed_to(broker, "expired", 17)
    for start in ("earliest", "latest", "new_topic"):
        line = refused(uri, out, f"--start={start}")
        assert "7 messages of 1 partitions were removed by retention" in line
        assert "--start earliest_left" in line
    metrics = tmp_path / "metrics.txt"
    job = ran(uri, out, 23, "--start=earliest_left", f"--metrics_file={metrics}")
    assert "7 messages of 1 partitions are lost" in job.text
    assert "7 messages lost to retention" in job.text
    assert "telemetry_lost_messages_total 7.0" in metrics.read_text()
    assert lost_in(out) == {"0": 7}
    produce(broker.servers, "expired", events(4, 200))
    ran(uri, out, 27)  # it was said once
    forget_state(uri, out)
    produce(broker.servers, "expired", events(3, 300))
    ran(uri, out, 30)
    assert lost_in(out) == {"0": 7}
    verify.main([f"--datasets={out}"])


def test_a_gap_is_told_though_nothing_is_left(
    tmp_path: Path, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two gaps one after the other, of two partitions, the second start killed before it told."""
    out = tmp_path / "out"
    uri = broker.create_topic("emptied", 2)
    produce(broker.servers, "emptied", events(40))
    ran(uri, out, 40)
    produce(broker.servers, "emptied", events(40, 100))
    for partition in (0, 1):
        removed_to(broker, "emptied", -1, partition)  # up to the end
    with streaming(uri, out, "--publish_interval=1s", "--start=earliest_left") as job:
        job.wait_for(lambda: "are lost" in job.text)
        job.kill()
    with streaming(uri, out, "--publish_interval=1s") as job:
        job.wait_for(lambda: sum(lost_in(out).values()) == 40)
        job.wait_for(lambda: bool(job.state and not job.state.gaps))
        assert job.stop() == 0
    verify.main([f"--datasets={out}"])
    assert "40 messages" in capsys.readouterr().out


def test_a_reader_that_retention_overtakes_says_the_same(broker: Broker) -> None:
    broker.create_topic("slow", 1)
    produce(broker.servers, "slow", events(20))
    removed_to(broker, "slow", 12)
    log = KafkaLog(broker.servers, "slow", {}, LogPosition({"0": 3}, 0), 0, 1)
    with pytest.raises(SourceUnavailable, match=r"topic slow, partition 0: .*add --start earliest_left"):
        for _ in range(20):
            list(log.read(0.5, 10))
    log.close()


def test_positions_that_cannot_be_of_the_topic_are_refused_without_ids(tmp_path: Path, broker: Broker) -> None:
    """States of an older version, and those made from the ledger, know no ids."""
    out = tmp_path / "out"
    uri = broker.create_topic("idless", 2)
    produce(broker.servers, "idless", events(30))
    ran(uri, out, 30)
    path = out / f"_stream-{stream_digest(uri)}.json"
    facts: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps({name: facts[name] for name in ("version", "whole_to_s", "positions")}))
    ran(uri, out, 30)
    upgraded = json.loads(path.read_text())
    assert upgraded["topic_id"] == facts["topic_id"]
    assert upgraded["cluster_id"] == facts["cluster_id"]
    made_anew(broker, "idless", 1)
    path.unlink()
    assert "was read up to" in refused(uri, out)
    produce(broker.servers, "idless", events(1000, 1000))
    assert "is no longer there" in refused(uri, out)
    ran(uri, out, 1030, "--start=new_topic")
    path.write_text("{}")
    assert "is damaged; remove it" in refused(uri, out)


def test_damaged_states_are_one_line(tmp_path: Path) -> None:
    from schemas.errors import StorageUnavailable

    for number, content in enumerate(
        (b"", b"[]", b"{}", b"\xff", b'{"whole_to_s": 1}', b'{"whole_to_s": -1, "positions": {}}',
         b'{"whole_to_s": 1, "positions": {"0": "7"}}', b'{"whole_to_s": 1, "positions": {"0": true}}',
         b'{"whole_to_s": 1, "positions": {}, "topic_id": 7}')
    ):  # fmt: skip
        (tmp_path / f"_stream-{number}.json").write_bytes(content)
        with pytest.raises(StorageUnavailable, match="is damaged; remove it, and it is made anew from the ledger"):
            stream_state.load(Output(str(tmp_path)), str(number))
