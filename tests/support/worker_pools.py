"""Beam's pool of Python workers, and its own job service, as processes of their own in another folder than the job."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

from tests.support.servers import free_port

ROOT = Path(__file__).parents[2]


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path, host: str = "localhost") -> None:
    for _ in range(600):
        with suppress(OSError), socket.create_connection((host, port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"nothing on port {port}: {log.read_text()[-2000:]}")


class WorkerPool:
    """Starts a Python worker for each that a runner asks for; started again it has the same address."""

    def __init__(
        self, folder: Path, before: list[str] | None = None, host: str = "localhost", port: int | None = None
    ) -> None:
        """`before` is a command that runs the pool, as one that gives it a file system of its own; `host` an address
        of this machine, so that several pools have the same port.
        """
        self.host, self.port = host, port or free_port()
        self._folder, self._before = folder, before or []
        self._pool: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self._folder / "workers.log"
        command = [*self._before, sys.executable, "-W", "ignore", "-m", "tests.support.worker_pools"]
        self._pool = _started([*command, f"{self.host}:{self.port}"], log)
        wait_for_port(self.port, self._pool, log, self.host)

    def workers(self) -> list[int]:
        """Process ids of the Python workers that run now."""
        if self._pool is None:
            return []
        every = list(Path(f"/proc/{self._pool.pid}/task").glob("*/children"))
        return sorted({int(pid) for path in every for pid in path.read_text().split()})

    def reading(self, folder: Path) -> list[int]:
        """Those of the workers that have a file of this folder open."""
        return [pid for pid in self.workers() if any(str(folder) in place for place in _open_files(pid))]

    def stop(self) -> None:
        if self._pool is not None and self._pool.poll() is None:
            os.killpg(self._pool.pid, signal.SIGKILL)
            self._pool.wait()

    @property
    def flags(self) -> list[str]:
        """What a job needs to work here."""
        return ["--environment_type=EXTERNAL", f"--environment_config=localhost:{self.port}", "--shared_filesystem"]


@contextmanager
def job_service(folder: Path) -> Iterator[list[str]]:
    """Beam's own job service, which tries nothing again; gives the flags of a job for it."""
    port, log = free_port(), folder / "jobs.log"
    module = "apache_beam.runners.portability.local_job_service_main"
    service = _started([sys.executable, "-m", module, f"--port={port}"], log)
    try:
        wait_for_port(port, service, log)
        yield ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}"]
    finally:
        os.killpg(service.pid, signal.SIGKILL)
        service.wait()


def _started(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    paths = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # a pool starts whatever `python` is
    environment = {**os.environ, "PATH": paths, "PYTHONPATH": str(ROOT)}
    with log.open("ab") as out:
        return subprocess.Popen(
            command, stdout=out, stderr=out, cwd=log.parent, start_new_session=True, env=environment
        )


def _open_files(pid: int) -> list[str]:
    found = []
    for path in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            found.append(os.readlink(path))
    return found


def main(address: str) -> None:
    """Beam's pool on one address: its own command listens on all of this machine's."""
    server = grpc.server(ThreadPoolExecutor(4))
    servicer = BeamFnExternalWorkerPoolServicer(use_process=True)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(servicer, server)
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1])
