"""Whether a record that says `running` is true: killed processes, other hosts, claims of others."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.recording.liveness import outcome_now
from pipelines.recording.record import new_record
from schemas.errors import ExitCode
from transforms.core.output.claim import claimed
from transforms.core.output.layout import CLAIM_FILE, Output

ELSEWHERE = {"host": "elsewhere", "boot": "b", "pids": "p", "pid": 7, "started": "1"}


def record(process: dict[str, Any] | None = None) -> Any:
    found = new_record("batch", [], None, "r")
    found.process = process or found.process
    return found


def claim(output: Output, holder: dict[str, Any]) -> None:
    Path(output.beside(CLAIM_FILE)).write_text(json.dumps({**holder, "token": "t"}))


def test_what_ended_stays_what_it_is(tmp_path: Path) -> None:
    found = record()
    found.end(ExitCode.UNBALANCED_BOOKS, "3 places")
    assert outcome_now(found, Output(str(tmp_path))) == "unbalanced_books"


def test_this_process_runs_while_it_holds_the_output(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    with claimed(output):
        assert outcome_now(record(), output) == "running"
    assert outcome_now(record(), output) == "interrupted"


def test_a_dead_process_is_interrupted_even_where_its_claim_is_left(tmp_path: Path) -> None:
    code = "import json; from transforms.core.output.holder import this_process; print(json.dumps(this_process()))"
    dead = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    claim(Output(str(tmp_path)), dead)
    assert outcome_now(record(dead), Output(str(tmp_path))) == "interrupted"


def test_another_host_that_holds_the_output_is_unknown_and_one_that_does_not_is_interrupted(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    assert outcome_now(record(ELSEWHERE), output) == "interrupted"
    claim(output, ELSEWHERE)
    assert outcome_now(record(ELSEWHERE), output) == "unknown"
    claim(output, {**ELSEWHERE, "started": "2"})
    assert outcome_now(record(ELSEWHERE), output) == "interrupted"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_claim_is_nobodys(tmp_path: Path, data: bytes) -> None:
    (tmp_path / CLAIM_FILE).write_bytes(data)
    assert outcome_now(record(ELSEWHERE), Output(str(tmp_path))) == "interrupted"
