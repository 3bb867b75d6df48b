"""`--log_format json`: every line on stderr is a JSON object, whoever printed it; text stays as it was."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def lines(body: str, *argv: str) -> tuple[list[dict[str, Any]], str, int]:
    """What a command with this main says on stderr, line by line; its stdout and its exit code."""
    code = f"""
import logging, sys, warnings
from pipelines.running.command import run_job
from pipelines.recording.log_lines import LogLines, begin_log
from pipelines.recording.record import Stage, new_record
from pipelines.recording.recorder import recorded
from schemas import errors
def main(argv):
    begin_log(argv)
{textwrap.indent(textwrap.dedent(body), "    ")}
run_job(main)
"""
    command = [sys.executable, "-c", code, *(argv or ("--log_format", "json", "--other=1"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return [json.loads(line) for line in done.stderr.splitlines()], done.stdout, done.returncode


def test_a_run_is_told_from_begin_to_end() -> None:
    told, out, code = lines("""
        with recorded(new_record("batch", ["raw/x"], None, "r"), [LogLines()]) as run:
            run.did("list", files=3)
            print("left alone: 1 side files", file=sys.stderr)
            raise errors.UnbalancedBooks("3 places")
    """)
    assert [(line["level"], line["message"]) for line in told] == [
        ("INFO", "the run begins"), ("INFO", "list done"), ("INFO", "left alone: 1 side files"),
        ("INFO", "the run ended: unbalanced_books"), ("ERROR", "3 places"),
    ]  # fmt: skip
    assert len({line["run"] for line in told}) == 1
    assert (told[1]["stage"], told[1]["counts"]) == ("list", {"files": 3})
    assert (told[3]["outcome"], told[3]["exit_code"], code, out) == ("unbalanced_books", 5, 5, "")
    assert told[3]["seconds"] >= told[1]["seconds"] >= 0
    assert all(line["time"].endswith("+00:00") for line in told)


def test_what_is_wrong_with_other_flags_is_told_in_json_too() -> None:
    (line,), _, code = lines("raise errors.InvalidOptions('--nope')", "--nope", "--log_format=json")
    assert (line["level"], line["message"], code) == ("ERROR", "--nope", 1)
    assert "run" not in line


def test_libraries_warnings_and_bugs_are_lines_too() -> None:
    told, _, code = lines("""
        logging.getLogger("urllib3").warning("Retrying https://h/b?sig=hunter2")
        print("warning: a key is readable", "by all", file=sys.stderr)
        sys.stderr.write("in ")
        sys.stderr.write("parts\\n\\n")
        raise ZeroDivisionError("a bug")
    """)
    assert [(line["level"], line["message"]) for line in told[:3]] == [
        ("WARNING", "Retrying https://h/b?***"), ("WARNING", "a key is readable by all"), ("INFO", "in parts"),
    ]  # fmt: skip
    assert told[-1]["message"] == "ZeroDivisionError: a bug"
    assert code == 70


def test_an_interrupt_is_a_line() -> None:
    told, _, code = lines("raise KeyboardInterrupt")
    assert [line["message"] for line in told] == ["interrupted; run it again to make it whole"]
    assert code == 130


@pytest.mark.parametrize("argv", [["--log_format=text"], ["--log_format=xml"], ["--log_format"], ["x"]])
def test_without_it_everything_is_as_it_was(argv: list[str]) -> None:
    body = """
        with recorded(new_record("batch", [], None, "r"), [LogLines()]) as run:
            run.did("list", files=3)
            print("a line", file=sys.stderr)
    """
    code = textwrap.dedent(body)
    with pytest.raises(json.JSONDecodeError):
        lines(code, *argv)
