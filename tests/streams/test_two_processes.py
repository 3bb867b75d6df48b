"""The endless job on this machine is two processes: what happens to one, and what the other one makes of it."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from schemas.errors import ExitCode
from tests.conftest import read_rows
from tests.streams.test_streaming import events
from tests.support.brokers import Broker, kafka_broker, produce
from tests.support.stream_jobs import StreamJob, children, command, needs_kafka, needs_prism, streaming

pytestmark = [needs_kafka, needs_prism, pytest.mark.xdist_group("streaming")]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_broker(tmp_path_factory.mktemp("kafka") / "node") as started:
        yield started


def ended(job: StreamJob) -> tuple[int, str]:
    """Exit code and last line of a job that ends by itself."""
    return job.process.wait(60), job.text.strip().splitlines()[-1]


def test_a_killed_reader_ends_the_job_and_the_next_start_repairs(tmp_path: Path, broker: Broker) -> None:
    uri = broker.create_topic("reader", 2)
    with streaming(uri, tmp_path / "out") as job:
        produce(broker.servers, "reader", events(40))
        job.wait_taken(40)
        produce(broker.servers, "reader", events(40, 40))
        os.kill(job.reader, signal.SIGKILL)
        code, line = ended(job)
    assert (code, line) == (ExitCode.TRY_AGAIN, "error: the process that reads ended with -9; start again to go on")
    with streaming(uri, tmp_path / "out") as job:
        job.wait_taken(80)
        assert job.stop() == 0
    rows = read_rows(tmp_path / "out", "displays")
    assert len(rows) == len({row["event_id"] for row in rows}) == 80


def test_a_killed_job_takes_its_processes_along(tmp_path: Path, broker: Broker) -> None:
    uri = broker.create_topic("job", 2)
    with streaming(uri, tmp_path / "out") as job:
        produce(broker.servers, "job", events(10))
        job.wait_taken(10)
        own = children(job.process.pid)
        assert len(own) == 2
        job.kill()
    until = time.monotonic() + 10
    while any(command(pid) for pid in own):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_what_fails_in_the_reader_is_one_line_of_the_job(tmp_path: Path, broker: Broker) -> None:
    uri = broker.create_topic("stamps", 1)
    with streaming(uri, tmp_path / "out") as job:
        produce(broker.servers, "stamps", events(10))
        job.wait_taken(10)
        entry = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
        change = ConfigResource(ResourceType.TOPIC, "stamps", incremental_configs=[entry])
        admin = AdminClient({"bootstrap.servers": broker.servers})
        admin.incremental_alter_configs([change])[change].result(30)
        produce(broker.servers, "stamps", events(10, 10))
        code, line = ended(job)
    assert (code, line) == (1, "error: topic stamps stopped to stamp messages with LogAppendTime; set it again")
