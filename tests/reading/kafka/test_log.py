"""A topic as a log, on a real broker: every message once, in the log's own time, shared among readers."""

import itertools
import time
from collections.abc import Iterator

import pytest

from tests.reading.kafka.test_admin import made, sent
from tests.support.brokers import Broker, kafka_broker
from tests.support.stream_jobs import needs_kafka
from transforms.core.blocks import Taken
from transforms.core.reading.kafka.log import KafkaLog
from transforms.core.reading.log import LogPosition, ReadBefore

pytestmark = [needs_kafka, pytest.mark.xdist_group("kafka_admin")]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_broker(tmp_path_factory.mktemp("kafka") / "node") as started:
        yield started


def read_all(log: KafkaLog, messages: int) -> tuple[list[bytes], list[Taken]]:
    """Reads until so many came; what was read and taken."""
    values, taken, until = [], [], time.monotonic() + 30
    while len(values) < messages and time.monotonic() < until:
        for _, block in log.read(0.5, 10):
            values += [request.body for request in block.requests] + block.lines
            taken += block.taken
    return values, taken


def start_ms() -> int:
    return int(time.time() * 1000) - 60_000


@pytest.mark.parametrize("readers", [1, 2, 3])
def test_readers_share_a_topic_and_each_message_comes_once(broker: Broker, readers: int) -> None:
    topic = f"shared{readers}"
    made(broker, topic, 3)
    sent(broker, topic, {0: 4, 1: 5, 2: 6})
    start = LogPosition({"0": 0, "1": 0, "2": 0}, start_ms())
    counts = []
    for reader in range(readers):
        log = KafkaLog(broker.servers, topic, {}, start, reader, readers)
        mine = sum(count for partition, count in enumerate((4, 5, 6)) if partition % readers == reader)
        values, taken = read_all(log, mine)
        counts.append(len(values))
        spans = sorted((t.part, t.begin, t.end) for t in taken)
        for (part, _, end), (other, begin, _) in itertools.pairwise(spans):
            assert part != other or end == begin
        assert {t.part for t in taken} == {str(p) for p in range(3) if p % readers == reader}
        log.close()
    assert sum(counts) == 15


def test_it_goes_on_from_its_position(broker: Broker) -> None:
    made(broker, "goes_on")
    sent(broker, "goes_on", {0: 5})
    log = KafkaLog(broker.servers, "goes_on", {}, LogPosition({"0": 0}, start_ms()), 0, 1)
    first, _ = read_all(log, 5)
    position = log.position
    log.close()
    sent(broker, "goes_on", {0: 2})
    again = KafkaLog(broker.servers, "goes_on", {}, position, 0, 1)
    second, taken = read_all(again, 2)
    again.close()
    assert (len(first), len(second)) == (5, 2)
    assert (position.positions, taken[0].begin, again.position.positions) == ({"0": 5}, 5, {"0": 7})
    assert again.position.watermark_ms >= position.watermark_ms


def test_a_log_takes_up_new_partitions_and_what_is_declared_lost(broker: Broker) -> None:
    """Of a span that is declared lost no message is read, and all of it is accounted for."""
    made(broker, "gaps")
    sent(broker, "gaps", {0: 6})
    start_ms = int(time.time() * 1000) - 60_000
    log = KafkaLog(
        broker.servers, "gaps", {}, LogPosition({"0": 1}, start_ms), 0, 1, ReadBefore({"0": 1}, gaps={"0": 4})
    )
    read, taken = 0, []
    until = time.monotonic() + 20
    while read < 2 and time.monotonic() < until:
        for _, block in log.read(0.5, 10):
            read += len(block.requests) + len(block.lines)
            taken += block.taken
    log.close()
    assert read == 2
    assert (taken[0].part, taken[0].begin) == ("0", 1)
    assert taken[-1].end == 6
