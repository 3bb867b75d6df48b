"""Who holds a claim: a process, and whether it can be looked up from here and is dead."""

import os
import socket
import uuid
from contextlib import suppress
from typing import Any

import psutil


def this_process() -> dict[str, Any]:
    """What a claim says of its holder: the machine, the space in which process ids count there, and the process."""
    return {**_place(), "pid": os.getpid(), "started": _started(os.getpid())}


def is_here(held: dict[str, Any]) -> bool:
    """Whether the claim's process can be looked up; claims of older versions name the host alone.

    It cannot where its process id is now that of another one. (Or seems to be: on some systems the time at which a
    process started moves when the clock is set.)
    """
    if any(held.get(name, None if name == "host" else value) != value for name, value in _place().items()):
        return False
    started = _started(held.get("pid"))
    return not started or held.get("started", started) == started


def is_dead(held: dict[str, Any]) -> bool:
    """Whether the holder can be looked up and is no more."""
    if not is_here(held) or not isinstance(held.get("pid"), int):
        return False
    try:
        os.kill(held["pid"], 0)
        return psutil.Process(held["pid"]).status() == psutil.STATUS_ZOMBIE  # killed, and nobody asked for its end
    except (ProcessLookupError, psutil.NoSuchProcess):
        return True
    except (PermissionError, OverflowError, psutil.Error):
        return False


def named(held: dict[str, Any]) -> str:
    """The holder in words."""
    return f"process {held.get('pid')} on {held.get('host')}"


def _place() -> dict[str, str]:
    """A container has process ids of its own, and may have the host name of another one."""
    pids = ""
    with suppress(OSError):
        pids = os.readlink("/proc/self/ns/pid")  # systems without it have one space of process ids
    return {"host": socket.gethostname(), "boot": _boot(), "pids": pids}


def _boot() -> str:
    """Names the machine since it booted. Linux has a name for that; elsewhere it is put together, and may change when
    the clock is set. A claim is then one of another machine.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return f"{uuid.getnode():012x}-{psutil.boot_time():.0f}"


def _started(pid: Any) -> str:
    """When a process of this machine started, in seconds since it booted; empty where unknown."""
    try:
        return f"{psutil.Process(pid).create_time() - psutil.boot_time():.2f}" if isinstance(pid, int) else ""
    except (psutil.Error, ValueError):
        return ""
