"""How many cores and how much memory this process may use: what the machine has, less what a container withholds."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def usable_cores(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int:
    """Cores on which this process may run, at least 1; a share of a core counts as one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_quota(text) for text in _limits("cpu.max", cgroups, own)]
    return max(1, math.ceil(min([cores, *quotas])))


def usable_memory_bytes(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int:
    """Bytes of memory that this process and its children may take, used or free."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [int(text) for text in _limits("memory.max", cgroups, own) if text.isdecimal()]
    return min([machine, *limits])


def _quota(text: str) -> float:
    """`cpu.max`: microseconds of each period, or `max`, and the period's length."""
    quota, _, period = text.partition(" ")
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else math.inf


def _limits(name: str, cgroups: Path, own: Path) -> Iterator[str]:
    """What the process's control group and those around it say; version 2, which has one tree of them."""
    folder = cgroups
    with suppress(OSError, StopIteration):
        inner = next(line[3:] for line in own.read_text().splitlines() if line.startswith("0::"))
        folder = cgroups / inner.strip("/")
    for place in (folder, *folder.parents):
        if place == cgroups.parent:
            return
        with suppress(OSError):
            yield (place / name).read_text().strip()
