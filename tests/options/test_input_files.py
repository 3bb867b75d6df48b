"""What a batch run is about to read: the day in its name, what is not there, and what is there and empty."""

from argparse import Namespace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.options.input_files import input_files, with_date
from schemas.errors import InvalidOptions, NothingToRead
from tests.storage.test_storage import store  # noqa: F401 - a fixture
from transforms.core import storage
from transforms.core.output.layout import RUNS, Output

DAY = date(2026, 3, 29)
DATED = "raw/{received_date}/*.ndjson"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of days, where the test is."""
    monkeypatch.chdir(tmp_path)
    for day in ("2026-03-28", "2026-03-29"):
        (tmp_path / "raw" / day).mkdir(parents=True)
        (tmp_path / "raw" / day / "a.ndjson").write_text("{}\n")
    return tmp_path


def options(*inputs: str, day: date | None = DAY, output: str = "out") -> Any:
    return Namespace(input=list(inputs), received_date=day, output=Output(output), key_ring="keys")


def found(*inputs: str, day: date | None = DAY) -> list[str]:
    return [str(Path(f.path).relative_to(Path.cwd())) for f in input_files(options(*inputs, day=day))]


def test_the_day_stands_for_its_place_wherever_it_is(place: Path) -> None:
    (place / "2026-03-29").symlink_to(place / "raw" / "2026-03-29")
    assert found(DATED) == found("raw/{received_date}") == ["raw/2026-03-29/a.ndjson"]
    assert found("{received_date}/*") == found("{received_date}") == ["2026-03-29/a.ndjson"]
    assert with_date(["a/{received_date}/{received_date}.gz", "b"], DAY) == {
        "a/{received_date}/{received_date}.gz": "a/2026-03-29/2026-03-29.gz", "b": "b"
    }  # fmt: skip


def test_other_braces_stay_as_they_are(place: Path) -> None:
    (place / "raw" / "{x}.ndjson").write_text("{}\n")
    assert found("raw/{x}.ndjson", day=None) == ["raw/{x}.ndjson"]


@pytest.mark.parametrize(("inputs", "day", "told"), [
    ([DATED], None, r"--input raw/\{received_date\}/\*\.ndjson goes with --received_date YYYY-MM-DD"),
    (["raw"], DAY, r"--received_date 2026-03-29 goes with an --input that has a place for it, as in gs://raw/\{received_date\}/"),
])  # fmt: skip
def test_one_without_the_other_is_refused(inputs: list[str], day: date | None, told: str) -> None:
    with pytest.raises(InvalidOptions, match=told):
        input_files(options(*inputs, day=day))


@pytest.mark.parametrize(
    "given", [DATED, "raw/{received_date}", "raw/{received_date}.ndjson", "{received_date}/x", "ra*/{received_date}/*"]
)
def test_a_day_without_files_is_nothing_to_do(given: str) -> None:
    with pytest.raises(NothingToRead, match="no such file, folder or match"):
        input_files(options(given, day=date(2026, 3, 30)))


@pytest.mark.parametrize("given", ["raw", "raw/*", "*", "raw/**/*.gz"])
def test_a_place_without_files_is_nothing_to_do(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty" / "raw").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "empty")
    if given == "*":
        (tmp_path / "empty" / "raw").rmdir()
    with pytest.raises(NothingToRead):
        input_files(options(given, day=None))


@pytest.mark.parametrize(("given", "day"), [
    ("rwa/{received_date}/*", DAY), ("/nope/{received_date}", DAY), ("rwa/*/{received_date}", DAY), ("rwa/*.ndjson", None), ("rwa", None), ("raw/2026-03-29/b.ndjson", None),
])  # fmt: skip
def test_a_wrong_name_is_refused_and_not_nothing_to_do(given: str, day: date | None) -> None:
    with pytest.raises(InvalidOptions, match="no such file or folder; allowed is one that is there"):
        input_files(options(given, day=day))


def test_of_several_inputs_of_a_day_some_may_be_empty(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "west").mkdir()
    assert found(DATED, "west/{received_date}/*") == ["raw/2026-03-29/a.ndjson"]
    assert capsys.readouterr().err == (
        "--input west/2026-03-29/*: no such file, folder or match; the other inputs are read\n"
    )
    with pytest.raises(InvalidOptions, match=r"--input wset/2026-03-29/.*: no such file"):
        found(DATED, "wset/{received_date}/*")
    with pytest.raises(InvalidOptions, match=r"--input west/\*: no such file, folder or match"):
        found(DATED, "west/*")


def test_the_days_place_is_where_the_output_must_not_be() -> None:
    with pytest.raises(InvalidOptions, match="lies in --input raw/2026-03-29"):
        input_files(options("raw/{received_date}", output="raw/2026-03-29/out"))


def test_records_of_runs_are_no_input(place: Path) -> None:
    (place / "out" / RUNS).mkdir(parents=True)
    (place / "out" / RUNS / "a.json").write_text("{}\n")
    with pytest.raises(InvalidOptions, match="lies in --output"):
        input_files(options(f"out/{RUNS}", day=None))


def test_days_in_a_store(store: str) -> None:  # noqa: F811
    storage.write_atomic(f"{store}/dated/2026-03-29/a.ndjson", b"{}\n")
    given = f"{store}/dated/{{received_date}}/*.ndjson"
    assert [f.path for f in input_files(options(given))] == [f"{store}/dated/2026-03-29/a.ndjson"]
    for pattern in (given, f"{store}/dated/{{received_date}}"):
        with pytest.raises(NothingToRead):
            input_files(options(pattern, day=date(2026, 3, 30)))
    wrong = given.replace("://telemetry/", "://telemerty/")
    with pytest.raises((InvalidOptions, NothingToRead)) as refused:
        input_files(options(wrong))
    assert isinstance(refused.value, InvalidOptions), "a bucket that is not there is no empty day"
