"""Children end with the process that started them, however that ends, and only then."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipelines.running import children
from pipelines.running.children import end_children, start_ours, start_program

OURS = "import time\nfrom pipelines.running.children import end_with_stdin\nend_with_stdin()\nprint('up', flush=True)\n"
OURS += "while True: sum(range(10**7))"
PROGRAM = ["sleep", "300"]
PARENT = (
    "import sys, time\nfrom pipelines.running.children import start_ours, start_program\n"
    f"child = start_program({PROGRAM!r}) if sys.argv[1] == 'program' else start_ours([sys.executable, '-c', {OURS!r}])\n"
    "print(child.pid, flush=True)\ntime.sleep(300)"
)


def within(condition: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def group_of(pid: int) -> list[psutil.Process]:
    """The processes that run in the child's group: itself, and what waits beside it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and children.os.getpgid(process.pid) == pid:
                found.append(process)
        except (psutil.Error, ProcessLookupError):
            continue
    return found


@pytest.fixture(params=["program", "ours"])
def parent(request: pytest.FixtureRequest) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PARENT, request.param], stdout=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_parent_takes_its_child_along(parent: subprocess.Popen[bytes], number: int) -> None:
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    within(lambda: bool(group_of(pid)))
    time.sleep(0.3)
    assert group_of(pid)
    parent.send_signal(number)
    parent.communicate()
    within(lambda: not group_of(pid))


def test_a_program_is_itself_and_knows_nothing_of_it(tmp_path: Path) -> None:
    """Its process id, its exit code, an empty stdin, no file of ours; arguments pass as they are."""
    code = "import os, sys; print(os.getpid(), repr(sys.stdin.read()), sorted(os.listdir('/dev/fd'))[:4], sys.argv[1:]); sys.exit(7)"
    child = start_program([sys.executable, "-c", code, "a b", "$HOME; exit", ""], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.wait(20) == 7
    told = child.stdout.readline().decode().split(maxsplit=2)
    assert (int(told[0]), told[1]) == (child.pid, "''")
    assert told[2] == "['0', '1', '2', '3'] ['a b', '$HOME; exit', '']\n"  # 3 is the folder that is being listed
    assert len(group_of(child.pid)) == 1
    child.communicate()
    within(lambda: not group_of(child.pid))


def test_what_waits_beside_a_program_does_not_hold_its_output_open() -> None:
    child = start_program([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stderr is not None
    assert (child.stdout.read(), child.stderr.read()) == (b"1\n", b"")
    child.communicate()


def test_a_program_that_cannot_be_started_ends_at_once(tmp_path: Path) -> None:
    child = start_program([str(tmp_path / "missing")], stderr=subprocess.DEVNULL)
    assert child.wait(20) == 127
    child.communicate()


def test_a_program_that_ignores_signals_ends_too() -> None:
    code = "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\nprint(1, flush=True)\ntime.sleep(300)"
    child = start_program([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        children.os.killpg(child.pid, number)
    time.sleep(0.2)
    assert len(group_of(child.pid)) == 2
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(20) == -signal.SIGKILL


def test_children_and_theirs_are_ended_and_no_others() -> None:
    other = subprocess.Popen([sys.executable, "-c", f"import subprocess\nsubprocess.run({PROGRAM!r})"])
    code = (
        "import subprocess, sys\nfrom pipelines.running.children import end_children\n"
        "child = subprocess.Popen(['sh', '-c', 'sleep 301 & wait'])\nprint(child.pid, flush=True)\nsys.stdin.readline()\n"
        "end_children()\nprint(child.wait(20), flush=True)"
    )
    job = start_ours([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert job.stdout is not None
    pid = int(job.stdout.readline())
    within(lambda: bool(psutil.Process(pid).children()))
    (grandchild,) = psutil.Process(pid).children()
    out, _ = job.communicate(b"\n")
    assert int(out) == -signal.SIGTERM
    within(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)
    assert other.poll() is None
    end_children()
    assert other.wait(20) == -signal.SIGTERM


def test_threads_of_native_libraries_count() -> None:
    code = (
        "from pipelines.running.children import has_other_threads\nprint(has_other_threads())\n"
        "import duckdb\nduckdb.sql('set threads = 2; select 1').fetchall()\nprint(has_other_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "True"], done.stderr
