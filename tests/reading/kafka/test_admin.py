"""What is asked of a topic, of a real broker: partitions, offsets, ids, times; and what is said where it is not there."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from schemas.errors import InvalidOptions, SourceUnavailable, TopicReplaced
from tests.support.brokers import Broker, kafka_broker
from tests.support.stream_jobs import needs_kafka
from transforms.core.reading.kafka import admin as kafka_admin
from transforms.core.reading.kafka.admin import TopicAdmin
from transforms.core.topic_identity import TopicIdentity

pytestmark = [needs_kafka, pytest.mark.xdist_group("kafka_admin")]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_broker(tmp_path_factory.mktemp("kafka") / "node") as started:
        yield started


def made(broker: Broker, topic: str, partitions: int = 1, config: dict[str, str] | None = None) -> TopicAdmin:
    """A new topic, once the broker knows it."""
    broker.create_topic(topic, partitions, config)
    admin = TopicAdmin(broker.servers, topic, {})
    for _ in range(100):
        try:
            admin.identity()
            admin.end_offsets()
            return admin
        except (InvalidOptions, SourceUnavailable):
            time.sleep(0.1)
    raise AssertionError(f"{topic} does not come up")


def sent(broker: Broker, topic: str, partitions: dict[int, int]) -> None:
    producer = Producer({"bootstrap.servers": broker.servers})
    for partition, count in partitions.items():
        for number in range(count):
            producer.produce(topic, b"%d" % number, partition=partition)
    assert producer.flush(30) == 0


def test_partitions_offsets_and_the_first_time(broker: Broker) -> None:
    admin = made(broker, "asked", 3)
    admin.check_topic()
    assert admin.partitions() == [0, 1, 2]
    assert admin.begin_offsets() == admin.end_offsets() == {0: 0, 1: 0, 2: 0}
    assert admin.first_time_ms(admin.begin_offsets()) is None
    before_ms = int(time.time() * 1000)
    sent(broker, "asked", {0: 3, 2: 1})
    assert admin.end_offsets() == {0: 3, 1: 0, 2: 1}
    first_ms = admin.first_time_ms(admin.begin_offsets())
    assert first_ms is not None
    assert before_ms - 1000 <= first_ms <= int(time.time() * 1000) + 1000
    assert admin.first_time_ms(admin.end_offsets()) is None


def test_a_topic_is_itself_and_no_other(broker: Broker) -> None:
    one, two = (made(broker, name) for name in ("one", "two"))
    assert one.identity() == one.identity()
    assert one.identity().cluster_id == two.identity().cluster_id
    assert one.identity().topic_id != two.identity().topic_id
    one.check_is(one.identity())
    one.check_is(TopicIdentity())  # an output of an older version knows no ids
    with pytest.raises(TopicReplaced, match="was deleted and made anew since this output read it"):
        one.check_is(two.identity())
    with pytest.raises(TopicReplaced, match="is of another cluster"):
        one.check_is(TopicIdentity("another", one.identity().topic_id))


def test_a_topic_that_is_gone_is_waited_for_a_little(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that has just come back may not know its topics yet."""
    monkeypatch.setattr(kafka_admin, "_GONE_AFTER_S", 0.3)
    admin = TopicAdmin(broker.servers, "none", {})
    with pytest.raises(SourceUnavailable):
        admin.check_is(TopicIdentity("c", "t"))
    time.sleep(0.4)
    with pytest.raises(TopicReplaced, match="--start new_topic"):
        admin.check_is(TopicIdentity("c", "t"))


def test_a_topic_that_is_missing_or_stamped_by_clients_is_refused(broker: Broker) -> None:
    with pytest.raises(InvalidOptions, match=r"--input kafka://.*/nowhere"):
        TopicAdmin(broker.servers, "nowhere", {}).check_topic()
    clients = made(broker, "clients", 1, {"message.timestamp.type": "CreateTime"})
    with pytest.raises(InvalidOptions, match="set it to LogAppendTime"):
        clients.check_topic()


def test_a_broker_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_admin, "_REQUEST_TIMEOUT_S", 0.3)
    with pytest.raises(SourceUnavailable, match=r"kafka://127\.0\.0\.1:9: ") as told:
        TopicAdmin("127.0.0.1:9", "t", {}).partitions()
    assert "\n" not in str(told.value)


def test_a_setting_that_the_client_refuses_is_named_without_its_value() -> None:
    with pytest.raises(InvalidOptions, match=r"does not take security\.protocol") as told:
        TopicAdmin("127.0.0.1:9", "t", {"security.protocol": "SECRET"})
    assert "SECRET" not in str(told.value)
