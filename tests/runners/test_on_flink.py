"""The batch job on a standalone Flink cluster with two task managers: the rows of a local run, whatever is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines import verify
from tests.conftest import KEY_RING, all_rows, run_batch
from tests.support.flink_servers import FlinkCluster, needs_flink, standalone_cluster
from tests.support.generated import generated_raw
from tests.support.worker_pools import ROOT

pytestmark = [needs_flink, pytest.mark.xdist_group("flink")]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    with standalone_cluster(tmp_path_factory.mktemp("flink") / "node") as started:
        yield started


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated_raw(tmp_path_factory, 10_000, seed=9)


@pytest.fixture(scope="module")
def landed(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("landed") / "out"
    run_batch(raw, output)
    return output


def start(raw: Path, output: Path, *flags: str) -> subprocess.Popen[str]:
    """The job as a command, in another folder, with paths as a person types them: relative."""
    paths = {"input": raw, "output": output, "key_ring": Path(KEY_RING)}
    given = [f"--{name}={os.path.relpath(path, output.parent)}" for name, path in paths.items()]
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "pipelines.batch", *given, "--buckets=4", *flags],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=output.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def finish(job: subprocess.Popen[str]) -> str:
    told, errors = job.communicate(timeout=170)
    assert job.returncode == 0, errors
    assert "the books balance" in told
    return errors


def wait_until(condition: Callable[[], object], job: subprocess.Popen[str], timeout_s: float = 90) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert job.poll() is None, job.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


def test_two_task_managers_give_the_rows_of_a_local_run(
    cluster: FlinkCluster, raw: Path, landed: Path, tmp_path: Path
) -> None:
    errors = finish(start(raw, tmp_path / "out", *cluster.flags))
    assert all(line.endswith("no figures yet") or "events" in line for line in errors.splitlines())
    assert all_rows(tmp_path / "out") == all_rows(landed)
    assert len(cluster.hosts_of(cluster.jobs()[-1]["jid"])) == 2  # all slots, without --parallelism


def test_a_killed_worker_and_a_killed_task_manager_change_nothing(
    cluster: FlinkCluster, raw: Path, landed: Path, tmp_path: Path
) -> None:
    """Both in the middle of one run: while files are read, and while the second try reads them again."""
    before = len(cluster.jobs())
    job = start(raw, tmp_path / "out", *cluster.flags)
    wait_until(lambda: cluster.reading(raw), job)
    for worker in cluster.reading(raw):
        os.kill(worker, signal.SIGKILL)
    running = cluster.jobs()[before]["jid"]
    wait_until(lambda: cluster.failures_of(running), job)
    wait_until(lambda: cluster.reading(raw), job)
    cluster.kill_task_manager("tm0")
    cluster.start_task_manager("tm0")  # as an operator of containers does
    finish(job)
    assert len(cluster.failures_of(running)) >= 2
    assert all_rows(tmp_path / "out") == all_rows(landed)
    verify.main([f"--datasets={tmp_path / 'out'}"])
    assert not [p for p in (tmp_path / "out").rglob("*") if p.name.startswith(".writing") or "claim" in p.name]


def test_a_run_that_is_interrupted_takes_its_job_with_it(cluster: FlinkCluster, raw: Path, tmp_path: Path) -> None:
    """Beam's own cancel leaves it running there."""
    job = start(raw, tmp_path / "out", *cluster.flags)
    wait_until(lambda: cluster.reading(raw), job)
    job.send_signal(signal.SIGINT)
    _, errors = job.communicate(timeout=60)
    assert job.returncode == 130, errors
    until = time.monotonic() + 60
    while (state := cluster.jobs()[-1]["state"]) != "CANCELED":
        assert state in ("RUNNING", "CANCELLING"), state
        assert time.monotonic() < until
        time.sleep(0.2)
    assert not list((tmp_path / "out").glob("_claim*"))
