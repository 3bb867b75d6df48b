"""What a process may use: the machine's, less what its container withholds."""

import os
from pathlib import Path

import pytest

from pipelines.workers.cores import usable_cores, usable_memory_bytes

HERE = len(os.sched_getaffinity(0))
MACHINE_BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def groups(place: Path, **files: str) -> tuple[Path, Path]:
    """Control groups as the kernel shows them: `a/b` is the process's own, names are those of files below."""
    (place / "cgroup" / "a" / "b").mkdir(parents=True, exist_ok=True)
    (place / "own").write_text("0::/a/b\n")
    for name, text in files.items():
        folder, _, file = name.rpartition("__")
        (place / "cgroup" / folder.replace("_", "/") / file.replace("_", ".")).write_text(f"{text}\n")
    return place / "cgroup", place / "own"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, HERE),
        ({"a_b__cpu_max": "max 100000"}, HERE),
        ({"a_b__cpu_max": "100000 100000"}, 1),
        ({"a_b__cpu_max": "50000 100000"}, 1),
        ({"a_b__cpu_max": "110000 100000"}, min(2, HERE)),
        ({"a_b__cpu_max": "max 100000", "a__cpu_max": "30000 100000"}, 1),
        ({"__cpu_max": "30000 100000"}, 1),
        ({"a_b__cpu_max": "nonsense"}, HERE),
    ],
)
def test_cores(tmp_path: Path, files: dict[str, str], cores: int) -> None:
    assert usable_cores(*groups(tmp_path, **files)) == cores


def test_the_cores_that_this_process_may_run_on() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_a_system_without_affinity_counts_its_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cores(tmp_path, tmp_path / "none") == 7


def test_memory(tmp_path: Path) -> None:
    assert usable_memory_bytes(tmp_path, tmp_path / "none") == MACHINE_BYTES
    assert usable_memory_bytes(*groups(tmp_path, a_b__memory_max="max")) == MACHINE_BYTES
    assert usable_memory_bytes(*groups(tmp_path, a_b__memory_max="max", a__memory_max="5000")) == 5000
