"""Records of runs: names in order of time, what they hold, and that readers of an output do not trip over them."""

import json
import re
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines.recording.record import Place, Record, counts_of, new_record, records
from schemas.errors import ExitCode, StorageRefused
from transforms.core.output.books import Books
from transforms.core.output.layout import RUNS, Output

NO_USER = re.compile(r"root|/home/|getpass|LOGNAME", re.IGNORECASE)


def record() -> Record:
    return new_record("batch", ["raw/{received_date}/*"], date(2026, 3, 29), "FnApiRunner")


def test_names_are_uuids_of_version_7_that_sort_by_time() -> None:
    before = datetime.now(UTC).timestamp()
    names = [record().run for _ in range(50)]
    found = [uuid.UUID(name) for name in names]
    assert {(u.version, u.variant) for u in found} == {(7, uuid.RFC_4122)}
    stamps = [(u.int >> 80) / 1000 for u in found]
    assert stamps == sorted(stamps)
    assert before - 0.002 <= stamps[0] <= datetime.now(UTC).timestamp()
    assert len(set(names)) == 50


def test_what_is_saved_is_what_comes_back(tmp_path: Path) -> None:
    output, written = Output(str(tmp_path)), record()
    written.save(output)
    assert list(records(output)) == [written]
    assert written.outcome == "running"
    books = Books(payloads=3, events=3, landed=2)
    books.withheld["off"] = 1
    written.books = counts_of(books)
    written.end(ExitCode.TRY_AGAIN, "cannot write")
    written.save(output)
    (again,) = records(output)
    assert again == written
    assert (again.outcome, again.exit_code, again.error, again.process) == ("try_again", 75, "cannot write", None)
    assert again.books is not None
    assert (again.books["landed"], again.books["withheld"]) == (2, {"off": 1})
    assert again.seconds is not None
    assert again.ended_at is not None
    assert again.seconds == pytest.approx((again.ended_at - again.started_at).total_seconds(), abs=0.001)


def test_it_says_the_host_and_versions_and_no_user(tmp_path: Path) -> None:
    written = record()
    written.save(Output(str(tmp_path)))
    (path,) = (tmp_path / RUNS).iterdir()
    facts = json.loads(path.read_text())
    assert path.name == f"{facts['run']}.json"
    assert {"suggestion-telemetry", "apache-beam", "python", "contract", "runner"} <= set(facts["versions"])
    assert facts["host"] == facts["process"]["host"]
    assert not NO_USER.search(path.read_text().replace(facts["host"], ""))


def test_newest_first_and_no_more_files_are_read_than_are_asked_for(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    written = [record() for _ in range(4)]
    for run, name in zip(written, ("a", "b", "c", "d"), strict=True):
        run.run = name
        run.save(output)
    (tmp_path / RUNS / "a.json").write_text("damaged")
    assert [found.run for found in records(output, 3)] == ["d", "c", "b"]
    with pytest.raises(StorageRefused, match=r"runs/a\.json is no record of a run, or damaged"):
        list(records(output))


def test_no_folder_is_no_record(tmp_path: Path) -> None:
    assert list(records(Output(str(tmp_path / "none")))) == []


def test_a_record_of_a_later_version_with_more_in_it_is_read(tmp_path: Path) -> None:
    record().save(Output(str(tmp_path)))
    (path,) = (tmp_path / RUNS).iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "more": [1]}))
    assert len(list(records(Output(str(tmp_path))))) == 1


def test_defaults_are_not_shared() -> None:
    one, other = record(), record()
    one.stages.append(None)  # type: ignore[arg-type]
    one.patterns.append("x")
    assert (other.stages, other.patterns) == ([], ["raw/{received_date}/*"])
    assert Place("x").payloads is None
