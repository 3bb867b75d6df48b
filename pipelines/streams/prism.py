"""Prism, Beam's local runner for endless jobs, as a child of this process that dies with it."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from schemas.errors import InvalidOptions, RunnerUnavailable

_PLACES = (".tools/bin/prism",)
_PR_SET_PDEATHSIG = 1
_READY_S = 20.0


def find_prism(location: str | None) -> str:
    """The binary: the one that was named, one on the PATH, or the one `make tools` made; raises InvalidOptions."""
    if location is not None:
        if os.access(location, os.X_OK) and os.path.isfile(location):
            return location
        raise InvalidOptions(f"--prism_location {location}: allowed is the path of Prism's binary")
    for found in (shutil.which("prism"), *_PLACES):
        if found and Path(found).is_file():
            return str(Path(found).absolute())
    raise InvalidOptions(
        "Prism, the runner of endless jobs, is not installed: "
        "go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0 (or make tools), then --prism_location"
    )


@contextmanager
def prism(binary: str) -> Iterator[str]:
    """Runs Prism while the block runs; gives its job endpoint. Raises RunnerUnavailable where it does not start."""
    port = _free_port()
    command = [binary, f"--job_port={port}", "--serve_http=false", "--log_level=error", "--log_kind=text"]
    child = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        preexec_fn=die_together,  # noqa: PLW1509 - two system calls; nothing else tells the kernel
    )
    try:
        _wait_for(port, child)
        yield f"localhost:{port}"
    finally:
        with suppress(ProcessLookupError):
            child.kill()  # its state is in memory only, and the output is the checkpoint
        child.wait()


def die_together() -> None:
    """In a child: a killed parent must not leave it behind, where it goes on asking for the others."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setpgid(0, 0)  # Ctrl-C on the terminal is for the job, which then ends its children


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
