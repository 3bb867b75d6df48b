"""Flink's job server, with a local cluster or a standalone one, as processes of their own beside a pool of workers."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.brokers import TOOLS
from tests.support.servers import free_port
from tests.support.worker_pools import WorkerPool, wait_for_port

FLINK_JARS = TOOLS / "flink"
needs_flink = pytest.mark.skipif(
    not FLINK_JARS.exists(), reason="Flink is not there: make tools (needs Java and Maven)"
)

_POOL_HOST = "workers"
_JOB_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

_SETTINGS = {
    "taskmanager.memory.managed.size": "64m",
    "taskmanager.memory.network.min": "32m",
    "taskmanager.memory.network.max": "32m",
}
_MEMORY = {  # what Flink's start script works out otherwise
    "taskmanager.cpu.cores": 1,
    "taskmanager.memory.framework.heap.size": "96m",
    "taskmanager.memory.task.heap.size": "256m",
    "taskmanager.memory.framework.off-heap.size": "64m",
    "taskmanager.memory.task.off-heap.size": "16m",
    "taskmanager.memory.jvm-metaspace.size": "128m",
    "taskmanager.memory.jvm-overhead.min": "64m",
    "taskmanager.memory.jvm-overhead.max": "64m",
    "jobmanager.memory.process.size": "700m",
}


class _Servers:
    """Processes that share a folder and a file of settings."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder = folder
        (folder / "conf").mkdir(parents=True)
        (folder / "tmp").mkdir()
        every = {**_SETTINGS, "io.tmp.dirs": str(folder / "tmp"), **settings}
        (folder / "conf" / "flink-conf.yaml").write_text("".join(f"{k}: {v}\n" for k, v in every.items()))

    def java(
        self, name: str, main: str, *arguments: str, memory: str = "400m", properties: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]  # half of the CPU time of a start
        command = [
            "java",
            f"-Xmx{memory}",
            *quick,
            *properties,
            f"-Djava.io.tmpdir={self.folder}/tmp",
            "-cp",
            f"{FLINK_JARS}/*",
            main,
        ]
        with (self.folder / f"{name}.log").open("ab") as out:
            return subprocess.Popen([*command, *arguments], stdout=out, stderr=out, start_new_session=True)

    def job_server(self, master: str, job_port: int, memory: str) -> subprocess.Popen[bytes]:
        server = self.java(
            "flink", _JOB_SERVER, "--flink-master", master, "--flink-conf-dir", f"{self.folder}/conf",
            "--artifacts-dir", f"{self.folder}/artifacts", "--job-port", str(job_port), "--artifact-port",
            str(free_port()), "--expansion-port", "0", "--job-host", "localhost", memory=memory,
        )  # fmt: skip
        wait_for_port(job_port, server, self.folder / "flink.log")
        return server


class Flink:
    """The job server with a cluster in its own process; killed and started again it knows nothing of the jobs before."""

    def __init__(self, folder: Path) -> None:
        self.job_port, self.rest_port = free_port(), free_port()
        settings = {
            "rest.bind-port": self.rest_port,
            "rest.port": self.rest_port,
            "taskmanager.numberOfTaskSlots": 4,
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 20,
            "restart-strategy.fixed-delay.delay": "500ms",
            "state.checkpoints.dir": f"file://{folder}/checkpoints",
        }
        self._servers = _Servers(folder, settings)
        self._server: subprocess.Popen[bytes] | None = None
        self.pool = WorkerPool(folder)

    def start(self) -> None:
        self._server = self._servers.job_server("[local]", self.job_port, "1g")

    def start_workers(self) -> None:
        self.pool.start()

    def workers(self) -> list[int]:
        """Process ids of the Python workers that run now."""
        return self.pool.workers()

    def kill(self) -> None:
        _kill(self._server)

    def stop(self) -> None:
        self.kill()
        self.pool.stop()

    def running_jobs(self) -> list[str]:
        """Names of the jobs that run now; a local cluster comes and goes with its job, so no cluster is no job."""
        assert self._server is not None
        assert self._server.poll() is None
        try:
            jobs = asked(self.rest_port, "jobs/overview")["jobs"]
        except OSError as error:
            if isinstance(getattr(error, "reason", error), ConnectionRefusedError | ConnectionResetError):
                return []
            raise
        return [job["name"] for job in jobs if job["state"] == "RUNNING"]

    def failures(self) -> int:
        """How often the one job here failed and began anew, up to 16."""
        (job,) = asked(self.rest_port, "jobs/overview")["jobs"]
        return len(asked(self.rest_port, f"jobs/{job['jid']}/exceptions")["exceptionHistory"]["entries"])

    @property
    def flags(self) -> list[str]:
        """What an endless job needs to run here, and quick settings: its address is only there while a job runs."""
        return [
            "--runner=PortableRunner", f"--job_endpoint=localhost:{self.job_port}", *self.pool.flags,
            "--checkpointing_interval=2000", "--parallelism=1", "--sdk_worker_parallelism=1",
            f"--flink_rest=http://localhost:{self.rest_port}",
        ]  # fmt: skip


class FlinkCluster:
    """A standalone cluster as it is on several machines: a job manager, task managers of one slot each, the job server
    that takes jobs for it, and for each task manager a pool of Python workers; each a process of its own.

    All task managers know their pool by one name. Java looks it up in a file, each task manager in its own. A pool that
    they share goes wrong: both name their first worker 1-1, and one stops that of the other.
    """

    def __init__(self, folder: Path, task_managers: int = 2) -> None:
        self.job_port, self.rest_port = free_port(), free_port()
        settings = {
            **_MEMORY,
            "jobmanager.rpc.address": "localhost",
            "jobmanager.rpc.port": free_port(),
            "rest.address": "localhost",
            "rest.port": self.rest_port,
            "rest.bind-port": self.rest_port,
            "taskmanager.host": "localhost",
            "taskmanager.numberOfTaskSlots": 1,
            "cluster.evenly-spread-out-slots": "true",
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 10,
            "restart-strategy.fixed-delay.delay": "2s",  # by then a task manager that was killed is known to be gone
            "classloader.resolve-order": "parent-first",  # all processes have the same jars already
            "metrics.fetcher.update-interval": 200,
            "heartbeat.interval": 1000,  # a task manager that does not answer twice is gone; a slow one is not
            "heartbeat.timeout": 30000,
            "state.checkpoints.dir": f"file://{folder}/checkpoints",
            "blob.storage.directory": str(folder / "tmp"),
        }
        self._servers = _Servers(folder, settings)
        self._names = [f"tm{number}" for number in range(task_managers)]
        self.task_managers: dict[str, subprocess.Popen[bytes]] = {}
        self._others: list[subprocess.Popen[bytes]] = []
        self._pools: dict[str, WorkerPool] = {}
        port = free_port()
        for number, name in enumerate(self._names):
            (folder / name).mkdir()
            self._pools[name] = WorkerPool(folder / name, host=f"127.0.0.{number + 2}", port=port)
            (folder / name / "hosts").write_text(
                f"127.0.0.1 localhost\n127.0.0.1 {socket.gethostname()}\n{self._pools[name].host} {_POOL_HOST}\n"
            )
        self._pool_address = f"{_POOL_HOST}:{port}"

    def start(self) -> None:
        self._others.append(
            self._servers.java("jobmanager", _JOB_MANAGER, "--configDir", f"{self._servers.folder}/conf")
        )
        for name in self._names:
            self.start_task_manager(name)
        self._others.append(self._servers.job_server(f"localhost:{self.rest_port}", self.job_port, "600m"))
        for pool in self._pools.values():
            pool.start()
        self.wait_for_task_managers()

    def workers(self) -> list[int]:
        """Process ids of the Python workers that run now."""
        return [pid for pool in self._pools.values() for pid in pool.workers()]

    def reading(self, folder: Path) -> list[int]:
        """Those of the workers that have a file of this folder open."""
        return [pid for pool in self._pools.values() for pid in pool.reading(folder)]

    def start_task_manager(self, name: str) -> None:
        _kill(self.task_managers.get(name))
        self.task_managers[name] = self._servers.java(
            name,
            _TASK_MANAGER,
            "--configDir",
            f"{self._servers.folder}/conf",
            properties=[f"-Djdk.net.hosts.file={self._servers.folder}/{name}/hosts"],
        )

    def kill_task_manager(self, name: str) -> None:
        _kill(self.task_managers[name])

    def wait_for_task_managers(self, timeout_s: float = 60) -> None:
        until = time.monotonic() + timeout_s
        while True:
            try:
                if len(asked(self.rest_port, "taskmanagers")["taskmanagers"]) >= len(self._names):
                    return
            except OSError:
                pass
            if time.monotonic() > until:
                raise RuntimeError(f"the task managers did not come within {timeout_s} s")
            time.sleep(0.2)

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, the oldest first."""
        return sorted(asked(self.rest_port, "jobs/overview")["jobs"], key=lambda job: job["start-time"])

    def hosts_of(self, job: str) -> set[str]:
        """The task managers that ran a part of a job."""
        vertices = asked(self.rest_port, f"jobs/{job}")["vertices"]
        managers = (asked(self.rest_port, f"jobs/{job}/vertices/{v['id']}/taskmanagers") for v in vertices)
        return {manager["taskmanager-id"] for found in managers for manager in found["taskmanagers"]}

    def failures_of(self, job: str) -> list[str]:
        """The innermost causes for which a job failed and began anew, the latest first."""
        entries = asked(self.rest_port, f"jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        lines = ([line for line in entry["stacktrace"].splitlines() if line[:1].strip()] for entry in entries)
        return [(causes[-1] if causes else "?")[:200] for causes in lines]

    def stop(self) -> None:
        for process in (*self.task_managers.values(), *self._others):
            _kill(process)
        for pool in self._pools.values():
            pool.stop()

    @property
    def flags(self) -> list[str]:
        """What a job needs to run here, and no more: the defaults do the rest."""
        return [
            "--runner=FlinkRunner", f"--job_endpoint=localhost:{self.job_port}", "--environment_type=EXTERNAL",
            f"--environment_config={self._pool_address}", "--shared_filesystem",
            f"--flink_rest=http://localhost:{self.rest_port}",
        ]  # fmt: skip


def asked(rest_port: int, path: str) -> Any:
    """An answer of Flink's REST interface; raises OSError where there is none."""
    with urllib.request.urlopen(f"http://localhost:{rest_port}/{path}", timeout=10) as answer:
        return json.loads(answer.read())


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def flink_cluster(folder: Path) -> Iterator[Flink]:
    flink = Flink(folder)
    try:
        flink.start()
        flink.start_workers()
        yield flink
    finally:
        flink.stop()


@contextmanager
def standalone_cluster(folder: Path, task_managers: int = 2) -> Iterator[FlinkCluster]:
    cluster = FlinkCluster(folder, task_managers)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
