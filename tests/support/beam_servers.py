"""Beam's own servers, the job service and the pool of workers, as processes of their own."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


@contextmanager
def beam_server(python: str, module: str, *flags: str, port: int, folder: Path, env: dict[str, str]) -> Iterator[int]:
    """In a process group of its own, which is ended by its id; gives that."""
    log = folder / f"{port}.log"
    with log.open("wb") as out:
        child = subprocess.Popen(
            [python, "-m", module, *flags], stdout=out, stderr=out, cwd=folder, env=env, start_new_session=True
        )
    try:
        until = time.monotonic() + 60
        while not _answers(port):
            assert child.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < until
            time.sleep(0.1)
        yield child.pid
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def workers_of(pool: int) -> list[psutil.Process]:
    """The workers that a pool has started."""
    return psutil.Process(pool).children(recursive=True)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("localhost", port), 1):
        return True
    return False
