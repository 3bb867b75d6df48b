"""Who holds a claim: found alive, found dead, or not to be looked up from here."""

import json
import os
import subprocess
import sys
from typing import Any

import psutil
import pytest

from transforms.core.output import holder
from transforms.core.output.holder import is_dead, is_here, named, this_process


def test_this_process_is_here_and_alive() -> None:
    mine = this_process()
    assert is_here(mine)
    assert not is_dead(mine)
    assert named(mine) == f"process {os.getpid()} on {mine['host']}"


def another_process() -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A process that runs until it is killed, and what it says of itself."""
    script = "import json, sys\nfrom transforms.core.output.holder import this_process\n"
    script += "print(json.dumps(this_process()), flush=True)\nsys.stdin.read()\n"
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    held = json.loads(child.stdout.readline())
    return child, held


def test_a_process_that_ended_is_dead_and_one_that_runs_is_not() -> None:
    child, held = another_process()
    assert is_here(held)
    assert not is_dead(held)
    child.kill()
    child.communicate()
    assert is_dead(held)


def test_a_process_id_that_was_given_to_another_process_tells_nothing() -> None:
    """Its heartbeat does: on some systems a process seems to be another one when the clock is set."""
    mine = this_process()
    held = {**mine, "started": "1.00"}
    assert not is_here(held)
    assert not is_dead(held)


def test_a_process_that_was_killed_and_not_waited_for_is_dead() -> None:
    """As in a container whose first process waits for nobody."""
    child, held = another_process()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(held)
    child.communicate()


def test_a_start_stays_the_same_to_the_hundredth() -> None:
    """Two processes look at a third one, at other times."""
    code = "from transforms.core.output.holder import _started; import os; print(_started(os.getppid()))"
    told = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
            for _ in range(3)}  # fmt: skip
    assert told == {this_process()["started"]}


@pytest.mark.parametrize("name", ["host", "boot", "pids"])
def test_another_machine_boot_or_container_cannot_be_looked_up(name: str) -> None:
    other = {**this_process(), name: "another"}
    assert not is_here(other)
    assert not is_dead(other)


@pytest.mark.parametrize("pid", [None, "12", 1.5, [], 2**70, -(2**70)])
def test_a_strange_process_id_is_not_dead(pid: object) -> None:
    """Rubbish in a claim frees nothing: whoever wrote it may be alive."""
    assert not is_dead({**this_process(), "pid": pid})


def test_a_process_of_another_user_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(holder.os, "kill", refused)
    assert not is_dead(this_process())


def test_claims_of_older_versions_name_the_host_alone() -> None:
    mine = this_process()
    assert is_here({"host": mine["host"], "pid": mine["pid"]})
    assert not is_here({"pid": mine["pid"]})


def test_a_process_that_nothing_can_be_learned_of_is_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int) -> psutil.Process:
        raise psutil.AccessDenied(pid)

    mine = this_process()
    monkeypatch.setattr(holder.psutil, "Process", refused)
    assert this_process()["started"] == ""
    assert is_here(mine)
    assert not is_dead(mine)
