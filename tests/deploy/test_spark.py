"""The batch job on Beam's job service for Spark: equal rows, also where a worker is killed."""

import subprocess
import time
from pathlib import Path

import psutil
import pytest

from pipelines import generate
from tests.conftest import KEY_RING, all_rows, run_batch
from tests.support.beam_servers import beam_server, workers_of
from tests.support.servers import free_port
from tests.support.spark_servers import needs_spark, spark_job_service
from tests.support.wheels import CleanEnvironment

pytestmark = [needs_spark, pytest.mark.xdist_group("wheel")]


def test_equal_rows_with_a_run_on_this_machine_and_a_killed_worker(clean: CleanEnvironment, tmp_path: Path) -> None:
    generate.main([f"--output={tmp_path}/day", "--events=1500", "--seed=8", "--date=2026-03-29"])
    run_batch(tmp_path / "day" / "raw", tmp_path / "landed")
    (tmp_path / "spark").mkdir()
    port, pool = free_port(), "apache_beam.runners.worker.worker_pool_main"
    with (
        spark_job_service(tmp_path / "spark") as job_port,
        beam_server(clean.python, pool, f"--service_port={port}", port=port, folder=tmp_path, env=clean.env) as pool_id,
    ):
        flags = [f"--input={tmp_path}/day/raw", f"--output={tmp_path}/out", f"--key_ring={KEY_RING}", "--buckets=4",
                 "--runner=PortableRunner", f"--job_endpoint=localhost:{job_port}", "--shared_filesystem",
                 "--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"]  # fmt: skip
        job = subprocess.Popen([clean.command, "batch", *flags], cwd=tmp_path, env=clean.env, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        killed: list[psutil.Process] = []
        while job.poll() is None:
            if not killed and list((tmp_path / "out").glob("*/*/*.parquet")):
                killed = workers_of(pool_id)
                for worker in killed:
                    worker.kill()
            time.sleep(0.05)
        out, told = job.communicate()
    assert job.returncode == 0, told
    assert "the books balance" in out
    assert killed
    assert all_rows(tmp_path / "out") == all_rows(tmp_path / "landed")
