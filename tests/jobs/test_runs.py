"""Runs as a scheduler starts them: days, records of all of them, a late file, a killed run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines import batch, runs, verify
from schemas.errors import InvalidOptions, NothingToRead, OutputInUse, PipelineError, UnusableInput
from tests.conftest import KEY_RING, all_rows, read_rows, sample, write_lines
from tests.storage.test_storage import every_file, store  # noqa: F401 - a fixture
from transforms.core.output.claim import claimed
from transforms.core.output.layout import RUNS, Output

DAY = "2026-03-29"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one day, where the test is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw" / DAY).mkdir(parents=True)
    write_lines(tmp_path / "raw" / DAY / "a.ndjson", [sample(), sample("outcomes/pass/ghostText.accepted")])
    return tmp_path


def flags(day: str = DAY, output: str = "out", *more: str) -> list[str]:
    return ["--input=raw/{received_date}/*", f"--received_date={day}", f"--output={output}", f"--key_ring={KEY_RING}",
            "--buckets=4", *more]  # fmt: skip


def listed(capsys: pytest.CaptureFixture[str], output: str = "out", *more: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    runs.main([f"--output={output}", "--format=json", *more])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def of_yesterday() -> dict[str, Any]:
    """An event that came a day before the one that its file is named after."""
    event = sample("requests/pass/request.sent")
    event["collector"]["received_at"] = "2026-03-28T23:59:59Z"
    return event


def test_a_late_file_lands_in_the_days_next_run_and_nothing_else_changes(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch.main(flags())
    before, rows = every_file("out"), all_rows(place / "out")
    late = sample("errors/pass/unhandlederror")
    late["collector"]["received_at"] = "2026-03-29T10:01:00Z"  # an event after the horizon would end a suggestion, too
    write_lines(place / "raw" / DAY / "late.ndjson", [late])
    batch.main(flags())
    after = every_file("out")
    assert {path: digest for path, digest in after.items() if path in before} == before
    assert {path.partition("/")[0] for path in set(after) - set(before)} == {"_inputs", "errors", "ledger"}
    now = all_rows(place / "out")
    assert [name for name in now if now[name] != rows.get(name)] == ["errors", "ledger"]
    assert len(now["errors"]) == 1
    verify.main(["--datasets=out"])
    last, first = listed(capsys)
    assert (first["books"]["landed"], last["books"]["landed"], last["books"]["duplicate"]) == (2, 1, 2)
    assert last["input"]["digest"] != first["input"]["digest"]


def test_the_day_names_the_input_and_filters_nothing(place: Path) -> None:
    write_lines(place / "raw" / DAY / "b.ndjson", [of_yesterday()])
    batch.main(flags())
    assert [row["received_date"] for row in read_rows(place / "out", "requests")] == ["2026-03-28"]
    assert [row["received_date"] for row in read_rows(place / "out", "displays")] == [DAY]


def test_every_end_has_a_record(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batch.main(flags())
    (place / "raw" / "2026-03-30").mkdir()
    write_lines(place / "raw" / "2026-03-30" / "a.ndjson", [b"no telemetry"])
    ends: list[tuple[type[PipelineError], list[str]]] = [
        (NothingToRead, flags("2026-03-31")), (InvalidOptions, flags(DAY, "out", "--buckets=17")),
        (UnusableInput, flags("2026-03-30")),
    ]  # fmt: skip
    for kind, given in ends:
        with pytest.raises(kind):
            batch.main(given)
    with claimed(Output("out")), pytest.raises(OutputInUse):
        batch.main(flags())
    found = listed(capsys)
    assert [(run["outcome"], run["exit_code"]) for run in found] == [
        ("try_again", 75), ("unusable_input", 3), ("refused", 1), ("nothing_to_do", 4), ("done", 0)
    ]  # fmt: skip
    assert [run["received_date"] for run in found] == [DAY, "2026-03-30", DAY, "2026-03-31", DAY]
    assert all(run["ended_at"] >= run["started_at"] and run["process"] is None for run in found)
    assert [run["error"] is None for run in found] == [False] * 4 + [True]
    assert found[1]["books"]["quarantined"] == {"malformed_payload": 1}
    assert found[-1]["patterns"] == ["raw/{received_date}/*"]
    assert found[-1]["input"]["places"] == [
        {"path": f"{place}/raw/{DAY}", "files": 1, "bytes": found[-1]["input"]["bytes"], "payloads": 2}
    ]
    assert listed(capsys, "out", "--last=1") == found[:1]


def test_the_table_is_for_people(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batch.main(flags())
    with pytest.raises(NothingToRead):
        batch.main(flags("2026-03-31"))
    capsys.readouterr()
    runs.main(["--output=out"])
    head, nothing, why, done = capsys.readouterr().out.splitlines()
    assert head.split() == ["started", "(UTC)", "seconds", "job", "received_date", "outcome", "exit", "files", "events",
                            "landed", "host"]  # fmt: skip
    assert nothing.split()[4:7] == ["2026-03-31", "nothing_to_do", "4"]
    assert why == "    --input raw/2026-03-31/*: no such file, folder or match"
    assert done.split()[4:10] == [DAY, "done", "0", "1", "2", "2"]
    assert done.index(DAY) == head.index("received_date")


def test_no_output_is_refused_and_one_without_records_is_empty(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidOptions, match="--output nope: no output there"):
        runs.main(["--output=nope"])
    batch.run(flags())
    assert listed(capsys) == []


def test_a_refused_run_makes_no_output(place: Path) -> None:
    for given in (flags("2026-03-31"), flags(DAY, "out", f"--key_ring={place}/none")):
        with pytest.raises(PipelineError):
            batch.main(given)
    assert not (place / "out").exists()


def test_readers_by_glob_and_verify_do_not_see_records(place: Path) -> None:
    batch.main(flags())
    assert list((place / "out" / RUNS).iterdir())
    verify.main(["--datasets=out"])
    assert duckdb.sql("select count(*) from 'out/*/*/*.parquet'").fetchall() == [(4,)]
    assert duckdb.sql("select count(*) from 'out/displays/**/*.parquet'").fetchall() == [(1,)]
    assert len(pl.read_parquet("out/displays/**/*.parquet")) == 1
    assert not list((place / "out" / RUNS).rglob("*.parquet"))


def test_records_in_a_store(store: str, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    batch.main(flags(DAY, f"{store}/recorded"))
    with pytest.raises(NothingToRead):
        batch.main(flags("2026-03-31", f"{store}/recorded"))
    assert [run["outcome"] for run in listed(capsys, f"{store}/recorded")] == ["nothing_to_do", "done"]
    verify.main([f"--datasets={store}/recorded"])


def command(*given: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", "pipelines.batch", *given]


def test_a_killed_run_is_shown_as_interrupted_and_an_interrupted_one_says_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = (place / "raw" / DAY / "a.ndjson").read_bytes()
    (place / "raw" / DAY / "a.ndjson").write_bytes(one * 40_000)
    for signal_number, outcome, code in ((signal.SIGKILL, "interrupted", None), (signal.SIGINT, "interrupted", 130)):
        job = subprocess.Popen(command(*flags()), env=dict(os.environ), stderr=subprocess.DEVNULL)
        before = {*(place / "out").glob("runs/*.json")}
        try:
            while {*(place / "out").glob("runs/*.json")} == before:
                assert job.poll() is None, "the job ended before it began to write"
                time.sleep(0.02)
            assert listed(capsys, "out", "--last=1")[0]["outcome"] == "running"
        finally:
            job.send_signal(signal_number)
        assert job.wait(60) in (-signal.SIGKILL, 130)
        found = listed(capsys, "out", "--last=1")[0]
        assert (found["outcome"], found["exit_code"]) == (outcome, code)
    (place / "raw" / DAY / "a.ndjson").write_bytes(one)
    batch.main(flags())
    assert [run["outcome"] for run in listed(capsys)] == ["done", "interrupted", "interrupted"]


def test_a_command_says_in_json_what_it_does_and_prints_nothing_else(place: Path) -> None:
    done = subprocess.run(command(*flags(), "--log_format=json", "--metrics_file=t.prom"), capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    told = [json.loads(line) for line in done.stderr.splitlines()]
    stages = [line["stage"] for line in told if "stage" in line]
    assert (stages[:2], stages[-1]) == (["list", "prepare"], "check")
    assert stages[2:-1] in (["read", "write"], ["read and write"])  # an input may be read before anybody looks
    assert {line["level"] for line in told} == {"INFO"}
    assert told[-1]["counts"]["landed"] == 2
    (path,) = (place / "out" / RUNS).glob("*.json")
    assert {line["run"] for line in told} == {path.stem}
    assert "telemetry_batch_exit_code 0.0" in (place / "t.prom").read_text()
    failed = subprocess.run(command(*flags("2026-03-31"), "--metrics_file=t.prom"), capture_output=True, text=True,
                            check=False)  # fmt: skip
    assert (failed.returncode, failed.stdout) == (4, "")
    assert failed.stderr == "nothing to do: --input raw/2026-03-31/*: no such file, folder or match\n"
    assert "telemetry_batch_exit_code 4.0" in (place / "t.prom").read_text()


def test_text_is_as_it_was(place: Path) -> None:
    done = subprocess.run(command(*flags()), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("2 payloads, 2 events:\n")
    assert done.stdout.endswith("the books balance\n")
