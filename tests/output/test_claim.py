"""Claims: one writer, and what becomes of the claim of one that is dead, here or elsewhere."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import OutputInUse
from tests.conftest import KEY_RING, run_batch, sample, write_lines
from transforms.core.output import claim, holder
from transforms.core.output.claim import Claim, check_held, claimed
from transforms.core.output.layout import Output

HOLD = (
    "import sys, time\nfrom transforms.core.output import claim, holder\nfrom transforms.core.output.layout import Output\n"
    "claim.BEAT_S = float(sys.argv[2])\n"
    "holder.socket.gethostname = lambda: sys.argv[3]\n"
    "with claim.claimed(Output(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "BEAT_S", 0.2)


def hold(output: Path, host: str = "elsewhere", beat_s: float = 0.2) -> subprocess.Popen[str]:
    """Another process, on another machine as it says, that holds the output and beats."""
    command = [sys.executable, "-c", HOLD, str(output), str(beat_s), host]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def end(child: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    if child.poll() is None:
        os.kill(child.pid, number)
    child.communicate()


def test_a_dead_claim_of_another_host_is_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    child = hold(tmp_path / "out")
    end(child)
    source = write_lines(tmp_path / "raw.ndjson", [sample()])
    started = time.monotonic()
    assert run_batch(source, tmp_path / "out").landed == 1
    assert time.monotonic() - started >= claim.STILL_BEATS * 0.2
    told = capsys.readouterr().err
    assert f"claimed by process {child.pid} on elsewhere; watching its heartbeat" in told
    assert not list((tmp_path / "out").glob("_claim*"))


def test_a_living_claim_of_another_host_is_not(tmp_path: Path) -> None:
    child = hold(tmp_path / "out")
    with (
        pytest.raises(OutputInUse, match=f"process {child.pid} on elsewhere: its heart beats"),
        claimed(Output(str(tmp_path / "out"))),
    ):
        pass
    assert child.poll() is None
    end(child)


def test_a_holder_that_was_stopped_and_lost_its_claim_writes_no_more(tmp_path: Path) -> None:
    child = hold(tmp_path / "out")
    os.kill(child.pid, signal.SIGSTOP)
    with claimed(Output(str(tmp_path / "out"))):
        os.kill(child.pid, signal.SIGCONT)
        assert child.wait(10) == OutputInUse.exit_code == 75
        assert child.stderr is not None
        told = child.stderr.read()
        assert told.startswith("error: the claim to ")
        assert f"is now held by process {os.getpid()}" in told
        assert told.count("\n") == 1
        assert (tmp_path / "out" / "_claim.json").exists()
    child.communicate()
    assert not (tmp_path / "out" / "_claim.json").exists()


def test_a_worker_looks_before_it_writes_after_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "_end_process", lambda told: None)
    output = Output(str(tmp_path / "out"))
    mine = Claim(output, lost=lambda told: None)
    mine.take()
    monkeypatch.setitem(claim._HELD, (output.path, claim.CLAIM_FILE), mine)
    (tmp_path / "out" / "_claim.json").write_text(json.dumps({"host": "elsewhere", "pid": 7, "token": "other"}))
    check_held(output)  # the last look is fresh
    mine._confirmed_at -= claim.STILL_BEATS * claim.BEAT_S
    with pytest.raises(OutputInUse, match="now held by process 7 on elsewhere"):
        check_held(output)
    mine.release()
    assert (tmp_path / "out" / "_claim.json").exists()


def test_of_two_that_find_a_claim_dead_one_has_it(tmp_path: Path) -> None:
    child = hold(tmp_path / "out")
    end(child)
    from concurrent.futures import ThreadPoolExecutor

    def take(_: int) -> str:
        try:
            Claim(Output(str(tmp_path / "out"))).take()
        except OutputInUse as refused:
            return str(refused)
        return "taken"

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(take, range(4)))
    assert found.count("taken") == 1, found
    assert not list((tmp_path / "out").glob("*.over"))


def test_what_a_run_left_that_died_while_it_took_over_stops_nobody(tmp_path: Path) -> None:
    """Both are gone: the first holder, and who had found it dead."""
    child = hold(tmp_path)
    end(child)
    token = json.loads((tmp_path / "_claim.json").read_text())["token"]
    (tmp_path / f"_claim.json.{token}.over").write_text(json.dumps({"host": "elsewhere", "pid": 8, "token": "b"}))
    started = time.monotonic()
    with claimed(Output(str(tmp_path))):
        assert time.monotonic() - started >= 2 * claim.STILL_BEATS * 0.2  # each of the two is watched
        assert [p.name for p in tmp_path.iterdir() if ".over" in p.name] == []


def test_who_is_taking_over_now_is_left_to_it(tmp_path: Path) -> None:
    child = hold(tmp_path)
    end(child)
    token = json.loads((tmp_path / "_claim.json").read_text())["token"]
    over = tmp_path / f"_claim.json.{token}.over"
    over.write_text(json.dumps({**holder.this_process(), "token": "b"}))
    with (
        pytest.raises(OutputInUse, match=f"is being taken over by process {os.getpid()}"),
        claimed(Output(str(tmp_path))),
    ):
        pass
    assert over.exists()


def test_another_process_of_this_machine_is_told_at_once(tmp_path: Path) -> None:
    import socket

    child = hold(tmp_path / "out", socket.gethostname(), 10)
    with (
        pytest.raises(OutputInUse, match=f"being written by process {child.pid} on"),
        claimed(Output(str(tmp_path / "out"))),
    ):
        pass
    end(child)
    started = time.monotonic()
    with claimed(Output(str(tmp_path / "out"))):
        assert time.monotonic() - started < 5


def test_a_container_of_the_same_name_is_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process 1 is not ours: whether it lives, only its heartbeat tells."""
    facts: dict[str, Any] = holder.this_process() | {"pids": "pid:[1]", "pid": 2**22 + 1, "token": "a", "beat_s": 0.2}
    (tmp_path / "_claim.json").write_text(json.dumps(facts))
    assert not holder.is_dead(facts)
    with claimed(Output(str(tmp_path))):
        pass


@pytest.mark.parametrize("facts", [{"host": "elsewhere", "pid": 7, "started": "1"}, {"host": "elsewhere"}, {},
                                   {"host": "elsewhere", "pid": 7, "token": "../x", "beat_s": 0.2},
                                   {"host": "elsewhere", "pid": 7, "token": "x", "beat_s": 0},
                                   {"host": "elsewhere", "pid": 7, "token": "x", "beat_s": float("nan")}])  # fmt: skip
def test_a_claim_without_a_heartbeat_is_left_alone(tmp_path: Path, facts: dict[str, Any]) -> None:
    (tmp_path / "_claim.json").write_text(json.dumps(facts))
    with pytest.raises(OutputInUse, match="if that run is dead, remove"), claimed(Output(str(tmp_path))):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["_claim.json"]


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"[]", b"\xff"])
def test_a_damaged_claim_is_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "_claim.json").write_bytes(data)
    write_lines(tmp_path / "raw.ndjson", [sample()])
    command = [sys.executable, "-m", "pipelines.batch", f"--input={tmp_path}/raw.ndjson", f"--output={tmp_path}/out"]
    done = subprocess.run([*command, f"--key_ring={KEY_RING}"], capture_output=True, text=True, check=False)
    assert done.returncode == 75
    assert done.stderr == (
        f"error: {tmp_path}/out/_claim.json is damaged, so its holder is not known; if no run writes, remove it\n"
    )


@pytest.mark.parametrize("left", ["dead1.over", "dead1.beat", "old.over"])
def test_what_a_run_left_that_died_in_an_odd_place_is_cleared_by_the_next_holder(tmp_path: Path, left: str) -> None:
    """After it replaced a dead claim, or before it had one: nobody else knows these names."""
    (tmp_path / f"_claim.json.{left}").write_text("{}")
    (tmp_path / "_claim-acceptance.json.other.beat").write_text("0")
    with claimed(Output(str(tmp_path))):
        mine = [p.name for p in tmp_path.iterdir()]
        assert f"_claim.json.{left}" not in mine
        assert len([name for name in mine if name.startswith("_claim.json.") and name.endswith(".beat")]) == 1
        assert "_claim-acceptance.json.other.beat" in mine, "it is of another claim, whose holder clears it"
    assert [p.name for p in tmp_path.iterdir()] == ["_claim-acceptance.json.other.beat"]


def test_a_beat_that_was_cleared_while_its_run_waited_is_there_when_it_has_the_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers elsewhere look for it at once."""
    mine = Claim(Output(str(tmp_path)), lost=lambda told: None)
    real = Claim._try

    def cleared(self: Claim) -> bool:
        for path in tmp_path.glob("*.beat"):
            path.unlink()
        return real(self)

    monkeypatch.setattr(Claim, "_try", cleared)
    mine.take()
    assert [p.read_text() for p in tmp_path.glob("*.beat")] == ["0\n"]
    mine.release()
    assert not list(tmp_path.iterdir())
