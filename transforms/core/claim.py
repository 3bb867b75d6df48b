"""One writer of an output at a time."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from schemas.errors import OutputInUse
from transforms.core import storage
from transforms.core.layout import CLAIM_FILE


@contextmanager
def claimed(output: str, name: str = CLAIM_FILE) -> Iterator[None]:
    """Holds the output, or what the claim of another name stands for, while the block runs.

    Raises OutputInUse, naming the holder, where another run that may be alive
    holds it. The claim of a process of this machine that is dead is taken over.
    """
    path = storage.join(output, name)
    mine = _holder()
    if not storage.create_exclusive(path, json.dumps(mine).encode()):
        held = json.loads(storage.read_bytes(path) or b"{}")
        if not _is_dead(held):
            raise OutputInUse(
                f"{output} is being written by process {held.get('pid')} on {held.get('host')}; "
                f"if that run is dead, remove {path}"
            )
        storage.remove(path)
        if not storage.create_exclusive(path, json.dumps(mine).encode()):
            raise OutputInUse(f"{output} was just claimed by another run")
    try:
        yield
    finally:
        storage.remove(path)


def _holder() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def _started(pid: int) -> str:
    """When a process of this machine started, so that a reused pid is told apart; empty where unknown."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _is_dead(held: dict[str, Any]) -> bool:
    if held.get("host") != socket.gethostname() or not isinstance(held.get("pid"), int):
        return False
    try:
        os.kill(held["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started(held["pid"]) != held.get("started")
