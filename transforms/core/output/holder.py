"""Who holds a claim: a process, and whether it can be looked up from here and is dead."""

import os
import socket
from contextlib import suppress
from typing import Any


def this_process() -> dict[str, Any]:
    """What a claim says of its holder: the machine, the space in which process ids count there, and the process."""
    return {**_place(), "pid": os.getpid(), "started": _started(os.getpid())}


def is_here(held: dict[str, Any]) -> bool:
    """Whether the claim's process id can be looked up; claims of older versions name the host alone."""
    return all(held.get(name, None if name == "host" else value) == value for name, value in _place().items())


def is_dead(held: dict[str, Any]) -> bool:
    """Whether the holder can be looked up and is no more; a reused process id is told apart by its start."""
    if not is_here(held) or not isinstance(held.get("pid"), int):
        return False
    try:
        os.kill(held["pid"], 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return _started(held["pid"]) != held.get("started")


def named(held: dict[str, Any]) -> str:
    """The holder in words."""
    return f"process {held.get('pid')} on {held.get('host')}"


def _place() -> dict[str, str]:
    """A container has process ids of its own, and may have the host name of another one."""
    pids = ""
    with suppress(OSError):
        pids = os.readlink("/proc/self/ns/pid")
    return {"host": socket.gethostname(), "boot": _text("/proc/sys/kernel/random/boot_id").strip(), "pids": pids}


def _started(pid: int) -> str:
    """When a process of this machine started, in ticks since it booted; empty where unknown."""
    facts = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return facts[19] if facts else ""


def _text(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""
