"""The same datasets by however many processes; and what becomes of a run of which one is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pipelines.running import input_run
from schemas.errors import RunnerUnavailable, StorageUnavailable
from tests.conftest import KEY_RING, run_batch
from tests.jobs.test_batch import split_lines
from tests.kills import content
from tests.support.generated import generated_raw

EVENTS = 4000


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = generated_raw(tmp_path_factory, EVENTS, seed=12)
    split_lines(folder)
    return folder


@pytest.fixture(scope="module")
def whole(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process writes that lets the pieces cross the runner's shuffle."""
    output = tmp_path_factory.mktemp("whole") / "out"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(input_run, "spilling", lambda _: nullcontext(""))
        run_batch(raw, output, "--direct_num_workers=1")
    return content(str(output))


def command(raw: Path, output: Path, *more: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", "pipelines.batch", f"--input={raw}", f"--output={output}",
            f"--key_ring={KEY_RING}", "--buckets=4", *more]  # fmt: skip


def assert_whole_and_clean(output: Path, whole: dict[str, Any]) -> None:
    assert content(str(output)) == whole
    assert not [p for p in output.rglob("*") if p.name.startswith((".writing-", "_spill", "_claim"))]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_datasets_are_equal_and_nothing_else_is_printed(
    raw: Path, tmp_path: Path, whole: dict[str, Any], workers: int
) -> None:
    done = subprocess.run(
        command(raw, tmp_path / "out", f"--direct_num_workers={workers}"), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "the books balance"
    assert len(done.stdout.splitlines()) < 16
    assert_whole_and_clean(tmp_path / "out", whole)


def test_where_nothing_may_be_forked_workers_are_new_interpreters(
    raw: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    """As on macOS, and in a process with threads of others, as this one is."""
    run_batch(raw, tmp_path / "out", "--direct_num_workers=2")
    assert_whole_and_clean(tmp_path / "out", whole)


def test_an_error_of_a_worker_keeps_its_kind(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "displays").write_bytes(b"")
    with pytest.raises(StorageUnavailable, match=r"cannot write .*/displays/received_date=.*: File exists|Not a dir"):
        run_batch(raw, tmp_path / "out", "--direct_num_workers=2")
    assert not [p for p in (tmp_path / "out").iterdir() if p.name.startswith(("_spill", "_claim"))]


def test_a_worker_that_is_gone_is_told(tmp_path: Path) -> None:
    from pipelines.workers.orders import Order
    from pipelines.workers.processes import Workers

    with Workers(1) as workers:
        (worker,) = workers.all
        os.kill(worker.process.pid or 0, signal.SIGKILL)
        with pytest.raises(RunnerUnavailable, match="was killed by signal 9, as happens where memory is short"):
            worker.do(Order([], b"", []))
        assert workers.figures() == (0, 0, 0)


def children_of(pid: int) -> list[int]:
    return [int(c) for task in Path(f"/proc/{pid}/task").glob("*/children") for c in task.read_text().split()]


def runs(pid: int) -> bool:
    """A zombie whom nobody has asked for does not."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


class Begun:
    """A run of two workers, of which something lies in the folder of sealed pieces."""

    def __init__(self, raw: Path, output: Path) -> None:
        self.job = subprocess.Popen(
            command(raw, output, "--direct_num_workers=2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        until = time.monotonic() + 120
        while not list((output / "_spill").glob("*")):
            assert self.job.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        self.workers = children_of(self.job.pid)
        assert len(self.workers) == 2
        command_lines = {Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (self.job.pid, *self.workers)}
        assert len(command_lines) == 1, "workers are forks of the job, not new interpreters"


@pytest.fixture
def begun(raw: Path, tmp_path: Path) -> Iterator[Begun]:
    run = Begun(raw, tmp_path / "out")
    yield run
    run.job.kill()
    run.job.communicate()


def assert_ended(pids: list[int]) -> None:
    until = time.monotonic() + 30
    while any(map(runs, pids)):
        assert time.monotonic() < until, "a worker outlives its job"
        time.sleep(0.05)


def test_a_killed_worker_ends_the_run_in_one_line_and_the_next_one_makes_it_whole(
    begun: Begun, raw: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    os.kill(begun.workers[1], signal.SIGKILL)
    out, told = begun.job.communicate(timeout=60)
    assert (begun.job.returncode, out) == (RunnerUnavailable.exit_code, "")
    assert told == (
        "error: a worker process was killed by signal 9, as happens where memory is short; "
        "run it again to make the output whole\n"
    )
    assert_ended(begun.workers)
    run_batch(raw, tmp_path / "out")
    assert_whole_and_clean(tmp_path / "out", whole)


def test_workers_end_with_a_job_that_is_killed_and_the_next_one_makes_it_whole(
    begun: Begun, raw: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    begun.job.kill()
    begun.job.wait()
    assert_ended(begun.workers)
    assert list((tmp_path / "out" / "_spill").iterdir()), "pieces of the killed run lie there"
    run_batch(raw, tmp_path / "out")
    assert_whole_and_clean(tmp_path / "out", whole)
