"""The wheel alone, in an environment without the tree, behind Beam's job service and a pool of workers."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pipelines import generate
from tests.conftest import KEY_RING, all_rows, run_batch
from tests.support.beam_servers import beam_server, workers_of
from tests.support.servers import free_port
from tests.support.wheels import ROOT, CleanEnvironment

pytestmark = pytest.mark.xdist_group("wheel")


@pytest.fixture(scope="module")
def servers(clean: CleanEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Both started from the clean environment; their ports."""
    ports = {"local_job_service_main": free_port(), "worker_pool_main": free_port()}
    folder = tmp_path_factory.mktemp("servers")
    job, pool = "apache_beam.runners.portability.local_job_service_main", "apache_beam.runners.worker.worker_pool_main"
    job_port, pool_port = ports.values()
    with (
        beam_server(clean.python, job, f"--port={job_port}", port=job_port, folder=folder, env=clean.env),
        beam_server(
            clean.python, pool, f"--service_port={pool_port}", port=pool_port, folder=folder, env=clean.env
        ) as pool_id,
    ):
        yield {**ports, "pool": pool_id}


def test_equal_rows_with_a_run_from_the_tree(clean: CleanEnvironment, servers: dict[str, int], tmp_path: Path) -> None:
    generate.main([f"--output={tmp_path}/day", "--events=1500", "--seed=8", "--date=2026-03-29"])
    run_batch(tmp_path / "day" / "raw", tmp_path / "landed")
    flags = [f"--input={tmp_path}/day/raw", f"--output={tmp_path}/out", f"--key_ring={KEY_RING}", "--buckets=4",
             "--runner=PortableRunner", f"--job_endpoint=localhost:{servers['local_job_service_main']}",
             "--shared_filesystem", "--environment_type=EXTERNAL",
             f"--environment_config=localhost:{servers['worker_pool_main']}"]  # fmt: skip
    with subprocess.Popen([clean.command, "batch", *flags], cwd=tmp_path, env=clean.env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as job:  # fmt: skip
        workers: dict[int, bool] = {}
        while job.poll() is None:
            workers |= seen_workers(servers["pool"])
            time.sleep(0.05)
        out, told = job.communicate()
    assert (job.returncode, told) == (0, "")
    assert "the books balance" in out
    assert all_rows(tmp_path / "out") == all_rows(tmp_path / "landed")
    assert workers
    assert not any(workers.values())


def seen_workers(pool: int) -> dict[int, bool]:
    """The workers that run now, and whether anything leads them to the tree."""
    found = {}
    for worker in workers_of(pool):
        with suppress(psutil.Error):
            found[worker.pid] = str(ROOT) in (worker.cwd(), *worker.environ().get("PYTHONPATH", "").split(":"))
    return found
