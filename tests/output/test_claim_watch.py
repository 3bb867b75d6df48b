"""Workers elsewhere: they write while the run that started them holds the output and lives, and no longer."""

import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schemas.errors import OutputInUse, StorageRefused
from tests.output.test_claim import end, hold
from transforms.core.output import claim, claim_watch
from transforms.core.output.claim import Claim, check_held, claimed, held_by_this_run
from transforms.core.output.claim_watch import ClaimWatch, watch_of
from transforms.core.output.layout import Output

WORKER = (
    "import pickle, sys, time\nfrom transforms.core.output import claim_watch\n"
    "from transforms.core.output.claim import check_held\n"
    "claim_watch._LOOK_S = 0.0\noutput = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
    "for _ in range(int(sys.argv[2])):\n    check_held(output)\n    print('writes', flush=True)\n    time.sleep(0.1)\n"
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "BEAT_S", 0.2)
    monkeypatch.setattr(claim_watch, "_LOOK_S", 0.0)


def of_run(path: Path) -> Output:
    """The output as the job that holds it hands it to workers."""
    return Output(str(path), json.loads((path / "_claim.json").read_text())["token"])


def worker(output: Output, looks: int = 100) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, pickle.dumps(output).hex(), str(looks)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_worker_elsewhere_writes_while_its_run_lives(tmp_path: Path) -> None:
    with claimed(Output(str(tmp_path))):
        told, errors = worker(held_by_this_run(Output(str(tmp_path))), 12).communicate(timeout=30)
    assert told.count("writes") == 12, errors


def test_a_worker_whose_run_died_stops_by_itself_before_another_run_may_begin(tmp_path: Path) -> None:
    child = hold(tmp_path)
    at_work = worker(of_run(tmp_path))
    assert at_work.stdout is not None
    at_work.stdout.readline()
    died = time.monotonic()
    end(child)
    _, errors = at_work.communicate(timeout=30)
    assert f"no heartbeat of process {child.pid} on elsewhere" in errors
    assert time.monotonic() - died < claim.STILL_BEATS * 0.2
    assert claim.STILL_BEATS == 2 * claim_watch.PATIENT_BEATS


def test_a_worker_of_a_run_that_lost_the_output_writes_no_more(tmp_path: Path) -> None:
    """A run of this machine that died is taken over at once, while its job goes on in a cluster."""
    child = hold(tmp_path, os.uname().nodename, 10)
    output = of_run(tmp_path)
    watch = ClaimWatch(output)
    watch.check()
    end(child)
    watch.check()  # nobody has it yet
    with claimed(Output(str(tmp_path))), pytest.raises(OutputInUse, match=f"now held by process {os.getpid()}"):
        watch.check()
    with pytest.raises(StorageRefused, match="is seen from a worker: its run is over, or its machine does not see"):
        watch.check()


def test_a_step_asks_when_it_begins_and_before_it_writes(tmp_path: Path) -> None:
    from datetime import date

    from tests.conftest import KEY_RING, landing
    from transforms.core.curating.curate import CuratedBucket
    from transforms.core.curating.publish import Publisher
    from transforms.core.keys.open_ring import open_roles, open_row_proof

    child = hold(tmp_path)
    output = of_run(tmp_path)
    publisher = Publisher(output.listing(), open_roles(KEY_RING), open_row_proof(KEY_RING), landing())
    end(child)
    (tmp_path / "_claim.json").unlink()
    with pytest.raises(StorageRefused, match="is seen from a worker"):
        publisher.publish(CuratedBucket.__new__(CuratedBucket), [date.min])
    with pytest.raises(StorageRefused, match="is seen from a worker"):
        Publisher(output.listing(), open_roles(KEY_RING), open_row_proof(KEY_RING), landing())


def test_a_look_counts_for_a_second_and_is_of_all_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_watch, "_LOOK_S", 1.0)
    child = hold(tmp_path)
    output = of_run(tmp_path)
    looks: list[float] = []
    real = ClaimWatch._look
    monkeypatch.setattr(ClaimWatch, "_look", lambda self, now: looks.append(now) or real(self, now))
    for _ in range(50):
        watch_of(output).check()
    end(child)
    assert len(looks) == 1
    assert watch_of(output) is watch_of(Output(output.path, output.claim))


def test_the_process_that_holds_it_and_outputs_without_a_claim_are_asked_nothing(tmp_path: Path) -> None:
    check_held(Output(str(tmp_path)))
    mine = Claim(Output(str(tmp_path)))
    mine.take()
    mine.release()
    assert Output("x", "one") == Output("x", "other")  # a claim is no part of where an output lies
    assert held_by_this_run(Output(str(tmp_path))).claim == ""
