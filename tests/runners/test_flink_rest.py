"""What a cluster tells by its REST interface, and what a job makes of it; real clusters are asked in test_on_flink."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions, PortableOptions

from pipelines.runners.flink_rest import Cluster, cluster_of
from pipelines.runners.flink_settings import settle_flink
from pipelines.runners.known import BATCH, STREAMING
from schemas.errors import RunnerUnavailable
from tests.support.servers import free_port

SPREAD = {"cluster.evenly-spread-out-slots": "true"}
RESTARTS = {"restart-strategy.type": "fixed-delay"}


@contextmanager
def rest(slots: list[int], settings: dict[str, str], broken: bytes | None = None) -> Iterator[str]:
    answers: dict[str, Any] = {
        "/taskmanagers": {"taskmanagers": [{"slotsNumber": number} for number in slots]},
        "/jobmanager/config": [{"key": key, "value": value} for key, value in settings.items()],
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answers[self.path]).encode() if broken is None else broken)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def settled(address: str, *flags: str) -> PipelineOptions:
    options = PipelineOptions(["--environment_type=EXTERNAL", *flags])
    settle_flink(options, BATCH, address)
    return options


def test_slots_and_settings_are_read() -> None:
    with rest([2, 4], {**SPREAD, **RESTARTS}) as address:
        assert cluster_of(address) == Cluster(6, 4, 2, True, True)
    for settings in ({}, {"restart-strategy.type": "none"}, {"restart-strategy": "disable"}):
        with rest([1], settings) as address:
            assert cluster_of(address) == Cluster(1, 1, 1, False, False)


def test_a_job_takes_all_slots_with_a_python_process_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    with rest([2, 4], RESTARTS) as address:
        options = settled(address)
    assert options.view_as(FlinkRunnerOptions).parallelism == 6
    assert options.view_as(PortableOptions).sdk_worker_parallelism == "4"
    assert capsys.readouterr().err == ""


def test_workers_in_the_jobs_own_process_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    with rest([4], RESTARTS) as address:
        options = PipelineOptions(["--environment_type=LOOPBACK"])
        settle_flink(options, BATCH, address)
    assert options.view_as(PortableOptions).sdk_worker_parallelism == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("slots", "settings", "flags", "told"),
    [
        ([2, 2], RESTARTS, ["--parallelism=2"], "cluster.evenly-spread-out-slots: true spreads them"),
        ([2, 2], {**RESTARTS, **SPREAD}, ["--parallelism=2"], ""),
        ([4], RESTARTS, ["--parallelism=2"], ""),
        ([2, 2], {}, [], "a killed worker will end the run"),
    ],
)
def test_what_the_clusters_settings_leave_to_be_wished_is_one_line(
    slots: list[int], settings: dict[str, str], flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with rest(slots, settings) as address:
        settled(address, *flags)
    line = capsys.readouterr().err
    assert told in line
    assert line.count("\n") == bool(told)


def test_a_cluster_that_cannot_take_a_job_is_refused() -> None:
    with rest([], RESTARTS) as address, pytest.raises(RunnerUnavailable, match="no task manager with slots"):
        settled(address)
    for broken in (b"", b"<html>", b"[]", b'{"taskmanagers": 7}'):
        with (
            rest([1], {}, broken) as address,
            pytest.raises(RunnerUnavailable, match="allowed is Flink's REST address"),
        ):
            settled(address)
    nobody = f"http://localhost:{free_port()}"
    with pytest.raises(RunnerUnavailable, match="URLError; allowed"):
        settled(nobody)
    settle_flink(PipelineOptions(), STREAMING, nobody)  # its cluster may come with the job
