"""The endless job on a broker that asks for a password over TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import ExitCode
from tests.curating.test_windows import books
from tests.streams.test_streaming import events
from tests.support.brokers import Broker, produce
from tests.support.secured_brokers import PASSWORD, client_config, secured_broker
from tests.support.stream_jobs import StreamJob, needs_kafka, needs_prism, streaming

pytestmark = [needs_kafka, needs_prism, pytest.mark.xdist_group("streaming")]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, str, Path]]:
    with secured_broker(tmp_path_factory.mktemp("secured") / "kafka") as started:
        yield started


def test_data_come_through_with_the_password(tmp_path: Path, secured: tuple[Broker, str, Path]) -> None:
    broker, servers, trusted = secured
    topic = broker.create_topic("secured", 2).rpartition("/")[2]
    config = client_config(tmp_path, trusted)
    with streaming(f"kafka://{servers}/{topic}", tmp_path / "out", f"--kafka_config={config}") as job:
        produce(broker.servers, topic, events(50))
        job.wait_taken(50)
        assert job.stop() == 0
    assert books(tmp_path / "out")[:3] == (50, 50, 0)
    assert PASSWORD not in job.text
    written = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert written
    assert not any(PASSWORD.encode() in data for data in written)


@pytest.mark.parametrize(("fault", "code"), [
    ("another password", ExitCode.TRY_AGAIN), ("no trust", ExitCode.REFUSED), ("no config", ExitCode.TRY_AGAIN)
])  # fmt: skip
def test_who_is_not_let_in_is_told_in_one_line(
    tmp_path: Path, secured: tuple[Broker, str, Path], fault: str, code: ExitCode
) -> None:
    """To a client that it does not let in, a broker looks like one that goes away: that may be over later."""
    _, servers, trusted = secured
    flags = []
    if fault == "another password":
        flags = [f"--kafka_config={client_config(tmp_path, trusted, PASSWORD[::-1])}"]
    elif fault == "no trust":
        (tmp_path / "none.pem").write_bytes(b"")
        flags = [f"--kafka_config={client_config(tmp_path, tmp_path / 'none.pem')}"]
    job = StreamJob(f"kafka://{servers}/secured", tmp_path / "out", *flags)
    assert job.process.wait(60) == code
    lines = job.text.splitlines()
    assert len(lines) == 1, job.text
    assert lines[0].startswith("error: ")
    assert PASSWORD not in job.text
    assert PASSWORD[::-1] not in job.text
