"""Flink's job server with a local cluster, and a pool of Python workers, as processes of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.brokers import TOOLS
from tests.support.servers import free_port

FLINK_JARS = TOOLS / "flink"
needs_flink = pytest.mark.skipif(
    not FLINK_JARS.exists(), reason="Flink is not there: make tools (needs Java and Maven)"
)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("localhost", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"nothing on port {port}: {log.read_text()[-2000:]}")


class Flink:
    """The job server; killed and started again it knows nothing of the jobs before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.job_port, self._artifact_port, self.rest_port = free_port(), free_port(), free_port()
        self.worker_port = free_port()
        (folder / "conf").mkdir(parents=True)
        settings = {
            "rest.bind-port": self.rest_port,
            "rest.port": self.rest_port,
            "taskmanager.numberOfTaskSlots": 4,
            "taskmanager.memory.managed.size": "64m",
            "taskmanager.memory.network.min": "32m",
            "taskmanager.memory.network.max": "32m",
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 20,
            "restart-strategy.fixed-delay.delay": "500ms",
            "state.checkpoints.dir": f"file://{folder}/checkpoints",
            "io.tmp.dirs": str(folder / "tmp"),
        }
        (folder / "tmp").mkdir()
        (folder / "conf" / "flink-conf.yaml").write_text("".join(f"{k}: {v}\n" for k, v in settings.items()))
        self._server: subprocess.Popen[bytes] | None = None
        self._pool: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self._folder / "flink.log"
        command = [
            "java", "-Xmx1g", f"-Djava.io.tmpdir={self._folder}/tmp", "-cp", f"{FLINK_JARS}/*",
            "org.apache.beam.runners.flink.FlinkJobServerDriver", "--flink-master", "[local]",
            "--flink-conf-dir", str(self._folder / "conf"), "--artifacts-dir", str(self._folder / "artifacts"),
            "--job-port", str(self.job_port), "--artifact-port", str(self._artifact_port), "--expansion-port", "0",
            "--job-host", "localhost",
        ]  # fmt: skip
        with log.open("ab") as out:
            self._server = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        _wait_for(self.job_port, self._server, log)

    def start_workers(self) -> None:
        log = self._folder / "workers.log"
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main"]
        with log.open("ab") as out:
            self._pool = subprocess.Popen(
                [*command, f"--service_port={self.worker_port}"],
                stdout=out, stderr=out, env=environment, start_new_session=True,
            )  # fmt: skip
        _wait_for(self.worker_port, self._pool, log)

    def workers(self) -> list[int]:
        """Process ids of the Python workers that run now."""
        if self._pool is None:
            return []
        children = Path(f"/proc/{self._pool.pid}/task/{self._pool.pid}/children")
        every = [children, *Path(f"/proc/{self._pool.pid}/task").glob("*/children")]
        return sorted({int(pid) for path in every for pid in path.read_text().split()})

    def kill(self) -> None:
        for process in (self._server,):
            if process is not None and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def stop(self) -> None:
        self.kill()
        if self._pool is not None and self._pool.poll() is None:
            os.killpg(self._pool.pid, signal.SIGKILL)
            self._pool.wait()

    def running_jobs(self) -> list[str]:
        """Names of the jobs that run now; a local cluster comes and goes with its job, so no cluster is no job."""
        assert self._server is not None
        assert self._server.poll() is None
        try:
            with urllib.request.urlopen(f"http://localhost:{self.rest_port}/jobs/overview", timeout=10) as answer:
                jobs = json.loads(answer.read())["jobs"]
        except OSError as error:
            if isinstance(getattr(error, "reason", error), ConnectionRefusedError | ConnectionResetError):
                return []
            raise
        return [job["name"] for job in jobs if job["state"] == "RUNNING"]

    @property
    def flags(self) -> list[str]:
        """What a job needs to run here."""
        return [
            "--runner=PortableRunner", f"--job_endpoint=localhost:{self.job_port}", "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{self.worker_port}", "--checkpointing_interval=2000",
            "--finish_bundle_before_checkpointing", "--max_bundle_time_mills=100", "--parallelism=1",
            "--number_of_execution_retries=20", "--execution_retry_delay=500",
            f"--flink_rest=http://localhost:{self.rest_port}",
        ]  # fmt: skip


@contextmanager
def flink_cluster(folder: Path) -> Iterator[Flink]:
    flink = Flink(folder)
    flink.start()
    flink.start_workers()
    try:
        yield flink
    finally:
        flink.stop()
