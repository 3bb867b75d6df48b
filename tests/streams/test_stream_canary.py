"""No marked secret in anything that the endless job leaves anywhere, Kafka's own data aside."""

import json
from pathlib import Path

import pytest

from tests.jobs.test_canary import SECRETS, assert_clean, bytes_of, everything_in, leaks, manifest_in, raw_files
from tests.support.brokers import as_message, kafka_broker, produce
from tests.support.flink_servers import flink_cluster, needs_flink
from tests.support.stream_jobs import needs_kafka, needs_prism, streaming

pytestmark = [needs_kafka, pytest.mark.xdist_group("streaming")]


def messages(folder: Path) -> list[tuple[bytes, dict[str, str]]]:
    """Every kind of event with its stamp in headers, lines that bring their own, and hostile ones."""
    folder.mkdir()
    lines = Path(raw_files(folder)[0]).read_bytes().splitlines()
    found = [as_message(line) for line in lines if line.strip()]
    assert set().union(*(leaks(value + json.dumps(headers).encode()) for value, headers in found)) == set(SECRETS)
    stamp = {"telemetry_level": "all", "client_ip": SECRETS["address"], "snippet_consent": "true"}
    hostile = [(value, stamp) for value, headers in found if not headers]
    return [
        *found,
        *((line, {}) for line in lines[:3]),
        *hostile,
        (lines[0], {"client_ip": SECRETS["address"], **stamp}),
    ]


@needs_prism
def test_on_prism_killed_once(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    made, env = messages(tmp_path / "raw"), {"TMPDIR": str(tmp_path / "tmp"), "PYTHONDEVMODE": "1"}
    with kafka_broker(tmp_path / "kafka") as broker:
        uri = broker.create_topic("canary", 2)
        metrics = f"--metrics_file={tmp_path}/tmp/metrics.txt"
        with streaming(uri, tmp_path / "out", manifest_in(tmp_path), metrics, env=env) as job:
            produce(broker.servers, "canary", made)
            job.wait_taken(len(made))
            produce(broker.servers, "canary", made)
            job.kill()
        with streaming(uri, tmp_path / "out", manifest_in(tmp_path), metrics, env=env) as job:
            job.wait_taken(2 * len(made))
            assert job.stop() == 0
    assert not leaks(job.log.read_bytes())
    assert assert_clean(tmp_path / "out") >= 20
    assert list((tmp_path / "out" / "snippets").rglob("*.parquet"))
    assert list((tmp_path / "out" / "extension_events").rglob("*.parquet"))
    assert list((tmp_path / "out" / "quarantine").rglob("*.parquet"))
    assert assert_clean(tmp_path / "tmp") >= 1


@needs_flink
def test_on_flink_with_its_checkpoints(tmp_path: Path) -> None:
    made = messages(tmp_path / "raw")
    with kafka_broker(tmp_path / "kafka") as broker, flink_cluster(tmp_path / "flink") as flink:
        uri = broker.create_topic("canary", 2)
        with streaming(uri, tmp_path / "out", manifest_in(tmp_path), "--publish_interval=20s", *flink.flags) as job:
            produce(broker.servers, "canary", made)
            checkpoints = tmp_path / "flink" / "checkpoints"
            job.wait_for(lambda: any(len(bytes_of(p) or b"") > 100_000 for p in everything_in(checkpoints)), 120)
            assert assert_clean(tmp_path / "flink") >= 3  # while pieces lie in its state
            job.wait_taken(len(made), 120)
            assert job.stop() == 0
        assert assert_clean(tmp_path / "flink") >= 3
    assert not leaks(job.log.read_bytes())
    assert assert_clean(tmp_path / "out") >= 20
