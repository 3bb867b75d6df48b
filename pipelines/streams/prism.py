"""Prism, Beam's local runner for endless jobs, as a child of this process that ends with it."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipelines.running.children import start_program
from schemas.errors import RunnerUnavailable

_READY_S = 20.0


@contextmanager
def prism(binary: str) -> Iterator[str]:
    """Runs Prism while the block runs; gives its job endpoint. Raises RunnerUnavailable where it does not start."""
    port = _free_port()
    command = [binary, f"--job_port={port}", "--serve_http=false", "--log_level=error", "--log_kind=text"]
    child = start_program(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, child)
        yield f"localhost:{port}"
    finally:
        child.kill()  # its state is in memory only, and the output is the checkpoint
        child.communicate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _READY_S
    while time.monotonic() < until and child.poll() is None:
        with suppress(OSError), socket.create_connection(("localhost", port), 1):
            return
        time.sleep(0.05)
    raise RunnerUnavailable(f"Prism ended with {child.poll()} or did not answer within {_READY_S:.0f} s")
