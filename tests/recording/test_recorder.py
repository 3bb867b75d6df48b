"""A run is told in order, however it ends; what cannot be told never hides what went wrong."""

import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.recording.listener import Listener
from pipelines.recording.record import Record, Stage, new_record, records
from pipelines.recording.record_file import RecordFile
from pipelines.recording.recorder import Recorder, recorded
from pipelines.running.progress import Figures
from schemas.errors import InvalidOptions, NothingToRead, StorageUnavailable, UnusableInput
from transforms.core.output.books import Books
from transforms.core.output.input_list import InputList, ListedFile
from transforms.core.output.layout import OUTPUT_FILE, RUNS, Output


class Heard(Listener):
    """What was told."""

    def __init__(self, fails: str = "") -> None:
        self.told: list[str] = []
        self._fails = fails

    def _hear(self, what: str) -> None:
        self.told.append(what)
        if what.startswith(self._fails or "-"):
            raise StorageUnavailable(f"cannot tell {what}")

    def began(self, record: Record) -> None:
        self._hear("began")

    def held(self, record: Record) -> None:
        self._hear("held")

    def did(self, stage: Stage) -> None:
        self._hear(stage.name)

    def ended(self, record: Record) -> None:
        self._hear(f"ended {record.outcome}")


def record() -> Record:
    return new_record("batch", ["raw"], None, "r")


LISTED = InputList("digest", (ListedFile("/raw/a", 7, ()),))


def test_a_run_from_begin_to_end() -> None:
    heard, facts = Heard(), record()
    with recorded(facts, [heard]) as run:
        run.listed(LISTED, ["/raw"])
        run.held()
        with run.reading_and_writing(lambda: Figures(7, 3, 2), 7):
            time.sleep(0.5)
        run.balanced(Books(events=3, landed=3), {"/raw/a": 3})
    assert heard.told == ["began", "list", "held", "prepare", "read", "write", "check", "ended done"]
    assert run.digest == "digest"
    assert facts.input is not None
    assert (facts.input.files, facts.input.bytes, facts.input.places[0].payloads) == (1, 7, 3)
    assert {s.name: s.counts for s in facts.stages} == {
        "list": {"files": 1, "bytes": 7}, "prepare": {}, "read": {"bytes": 7}, "write": {"buckets": 2},
        "check": {"events": 3, "landed": 3},
    }  # fmt: skip
    assert sum(stage.seconds for stage in facts.stages) == pytest.approx(facts.seconds, abs=0.1)


def test_where_nobody_tells_how_far_reading_is_it_is_one_stage_with_writing() -> None:
    heard = Heard()
    with recorded(record(), [heard]) as run, run.reading_and_writing(lambda: Figures(0, 0, 0), 7):
        time.sleep(0.3)
    assert heard.told == ["began", "read and write", "ended done"]


@pytest.mark.parametrize(("error", "outcome", "code"), [
    (InvalidOptions("x"), "refused", 1), (NothingToRead("x"), "nothing_to_do", 4), (UnusableInput("x"), "unusable_input", 3),
    (StorageUnavailable("x"), "try_again", 75), (KeyError("payload"), "bug", 70), (KeyboardInterrupt(), "interrupted", 130),
    (MemoryError(), "bug", 70),
])  # fmt: skip
def test_each_end_has_its_outcome_and_the_error_goes_on(error: BaseException, outcome: str, code: int) -> None:
    facts, heard = record(), Heard()
    with pytest.raises(type(error)), recorded(facts, [heard]):
        raise error
    assert (facts.outcome, facts.exit_code) == (outcome, code)
    assert heard.told == ["began", f"ended {outcome}"]
    assert facts.error
    assert "payload" not in facts.error
    assert "\n" not in facts.error


def test_an_error_in_the_pipeline_ends_its_stage_without_a_word() -> None:
    heard = Heard()
    with (
        pytest.raises(StorageUnavailable),
        recorded(record(), [heard]) as run,
        run.reading_and_writing(lambda: Figures(0, 0, 0), 7),
    ):
        raise StorageUnavailable("the disk is full")
    assert heard.told == ["began", "ended try_again"]


def test_what_cannot_be_told_of_a_good_run_is_its_error_for_those_who_come_after() -> None:
    first, failing, last, facts = Heard(), Heard(fails="ended"), Heard(), record()
    with pytest.raises(StorageUnavailable, match="cannot tell ended done"), recorded(facts, [first, failing, last]):
        pass
    assert (first.told[-1], last.told[-1]) == ("ended done", "ended try_again")


def test_what_cannot_be_told_of_a_bad_run_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidOptions, match="the first"), recorded(record(), [Heard(fails="ended")]):
        raise InvalidOptions("the first")
    assert capsys.readouterr().err == "warning: cannot tell ended refused\n"


def test_where_the_storage_failed_it_is_not_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StorageUnavailable, match="the first"), recorded(record(), [Heard(fails="ended")]):
        raise StorageUnavailable("the first")
    assert capsys.readouterr().err == ""


def test_a_listener_that_cannot_begin_ends_the_run() -> None:
    ran = []
    with pytest.raises(StorageUnavailable, match="cannot tell began"), recorded(record(), [Heard(fails="began")]):
        ran.append(1)
    assert ran == []


def test_without_listeners_nothing_is_written(tmp_path: Path) -> None:
    run = Recorder(record())
    run.listed(LISTED, ["/raw"])
    run.held()
    run.balanced(Books(), {"/raw/a": 0})
    assert not list(tmp_path.iterdir())


def outcomes(folder: Path) -> list[Any]:
    return [found.outcome for found in records(Output(str(folder)))]


def test_the_file_is_there_while_the_run_goes_on_and_replaced_at_its_end(tmp_path: Path) -> None:
    with recorded(record(), [RecordFile(Output(str(tmp_path)))]) as run:
        assert not (tmp_path / RUNS).exists()
        run.held()
        assert outcomes(tmp_path) == ["running"]
    assert outcomes(tmp_path) == ["done"]


def test_a_run_that_is_refused_makes_no_output_and_tells_an_old_one(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "out"))
    for _ in range(2):
        with pytest.raises(InvalidOptions), recorded(record(), [RecordFile(output)]):
            raise InvalidOptions("x")
        if not (tmp_path / "out").exists():
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / OUTPUT_FILE).write_text("{}")
    assert outcomes(tmp_path / "out") == ["refused"]
