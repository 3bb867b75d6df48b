"""Beam's pool of Python workers as a process of its own, in another folder than the job."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.support.servers import free_port

ROOT = Path(__file__).parents[2]


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("localhost", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"nothing on port {port}: {log.read_text()[-2000:]}")


class WorkerPool:
    """Starts a Python worker for each that a runner asks for; started again it has the same address."""

    def __init__(self, folder: Path, before: list[str] | None = None) -> None:
        """`before` is a command that runs the pool, as one that gives it a file system of its own."""
        self.port = free_port()
        self._folder, self._before = folder, before or []
        self._pool: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self._folder / "workers.log"
        paths = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # the pool starts whatever `python` is
        command = [*self._before, sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main"]
        with log.open("ab") as out:
            self._pool = subprocess.Popen(
                [*command, f"--service_port={self.port}"],
                stdout=out, stderr=out, cwd=self._folder, start_new_session=True,
                env={**os.environ, "PATH": paths, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        wait_for_port(self.port, self._pool, log)

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


def _open_files(pid: int) -> list[str]:
    found = []
    for path in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            found.append(os.readlink(path))
    return found
