"""Ctrl-C is one line and 130, wherever it comes, and the claim is let go."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.running.interrupts import TOLD
from tests.conftest import KEY_RING
from tests.support.generated import generated_raw


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated_raw(tmp_path_factory, 40_000, seed=6)


def interrupted(command: list[str], is_time: object, *, times: int = 1) -> tuple[int, str, str]:
    """What a terminal does: the signal goes to the whole group, when it is time."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until = time.monotonic() + 60
    while not is_time(child):  # type: ignore[operator]
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    for _ in range(times):
        os.killpg(child.pid, signal.SIGINT)
    try:
        out, told = child.communicate(timeout=30)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    return child.returncode, out, told


def batch_job(raw: Path, output: Path, *more: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", "pipelines.batch", f"--input={raw}", f"--output={output}",
            f"--key_ring={KEY_RING}", *more]  # fmt: skip


@pytest.mark.parametrize("seconds", [0.0, 0.4, 1.5])
@pytest.mark.parametrize(
    "mode",
    [
        ["--direct_num_workers=1"],
        ["--direct_num_workers=2"],
        ["--direct_num_workers=2", "--direct_running_mode=multi_threading"],
    ],
)
def test_in_the_middle_of_a_run(raw: Path, tmp_path: Path, mode: list[str], seconds: float) -> None:
    def has_begun(_: object) -> bool:
        if not list((tmp_path / "out" / "_inputs").glob("*.json")):
            return False
        time.sleep(seconds)
        return True

    assert interrupted(batch_job(raw, tmp_path / "out", *mode), has_begun) == (130, "", f"{TOLD}\n")
    assert not list((tmp_path / "out").glob("_claim*"))


def test_while_modules_are_imported(raw: Path, tmp_path: Path) -> None:
    def imports(child: subprocess.Popen[str]) -> bool:
        return "apache_beam" in Path(f"/proc/{child.pid}/maps").read_text()

    assert interrupted(batch_job(raw, tmp_path / "out"), imports) == (130, "", f"{TOLD}\n")
    assert not (tmp_path / "out").exists()


def test_twice(raw: Path, tmp_path: Path) -> None:
    def has_begun(_: object) -> bool:
        return bool(list((tmp_path / "out" / "_inputs").glob("*.json")))

    code, out, told = interrupted(batch_job(raw, tmp_path / "out"), has_begun, times=2)
    assert (code, out, set(told.splitlines())) == (130, "", {TOLD})


def test_another_job(tmp_path: Path) -> None:
    """One that waits for a claim, on a lock of Python's."""
    code = (
        "import time\nfrom pipelines.running.command import run_job\n"
        "def main(argv):\n    print('up', flush=True)\n    time.sleep(60)\nrun_job(main)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    os.kill(child.pid, signal.SIGINT)
    out, told = child.communicate(timeout=20)
    assert (child.returncode, out, told) == (130, "", f"{TOLD}\n")
