"""The endless job on Flink: a step that fails, a worker that is killed, a job server that is killed."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from schemas.errors import ExitCode
from tests.conftest import read_rows
from tests.curating.test_windows import books
from tests.streams.test_streaming import events
from tests.support.brokers import Broker, kafka_broker, produce
from tests.support.flink_servers import Flink, flink_cluster, needs_flink
from tests.support.stream_jobs import needs_kafka, streaming
from transforms.core.output.layout import FileName, Output
from transforms.core.shuffle.windows import Window, mark_day

pytestmark = [needs_kafka, needs_flink, pytest.mark.xdist_group("streaming")]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_broker(tmp_path_factory.mktemp("kafka") / "node") as started:
        yield started


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flink]:
    with flink_cluster(tmp_path_factory.mktemp("flink") / "node") as started:
        yield started


def test_failures_and_kills_change_nothing(tmp_path: Path, broker: Broker, flink: Flink) -> None:
    uri, output = broker.create_topic("flink", 2), tmp_path / "out"
    with streaming(uri, output, "--publish_interval=4s", "--job_server_timeout=15", *flink.flags) as job:
        produce(broker.servers, "flink", events(40))
        job.wait_taken(40, 120)

        state = job.state
        assert state is not None
        blocked = []
        for number in range(1, 12):  # a folder where bucket 0's file of the next windows has to be
            end_s = state.whole_to_s + 4 * number
            name = FileName(Window(state.stream, 0, end_s).name, 0, 4)
            path = Path(Output(str(output)).file("ledger", mark_day(end_s), name))
            with suppress(FileExistsError):  # a window that is written already, though not yet taken in
                path.mkdir()
                blocked.append(path)
        produce(broker.servers, "flink", events(40, 40))
        job.wait_for(lambda: flink.failures() > 2, 90)
        time.sleep(2)
        assert job.taken < 80
        for path in blocked:
            path.rmdir()
        job.wait_taken(80, 120)

        workers = flink.workers()
        assert workers
        produce(broker.servers, "flink", events(40, 80))
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        job.wait_taken(120, 150)
        assert set(flink.workers()) != set(workers)

        flink.kill()
        produce(broker.servers, "flink", events(40, 120))
        assert job.process.wait(60) == ExitCode.TRY_AGAIN
        assert "error: " in job.text.splitlines()[-1]
    flink.start()
    with streaming(uri, output, "--publish_interval=4s", *flink.flags) as job:
        job.wait_taken(160, 150)
        assert flink.running_jobs()
        assert job.stop() == 0
    assert books(output)[:3] == (160, 160, 0)
    assert len(read_rows(output, "displays")) == 160
    assert not flink.running_jobs()
