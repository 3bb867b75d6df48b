"""Which days an input left files for: noted before they are written, and looked at alone."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.conftest import run_batch, sample, write_lines
from transforms.core import storage
from transforms.core.output.input_days import InputDays, days_of_input
from transforms.core.output.layout import Listing, Output
from transforms.core.output.ledger import read_marks

DAYS = [date(2026, 3, 28) + timedelta(days=n) for n in range(3)]


def test_days_are_those_that_were_noted_for_the_input(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    InputDays(output).note("0a" * 8, DAYS[1:])
    InputDays(output).note("0a" * 8, DAYS[::2])
    InputDays(output).note("0b" * 8, [])
    assert days_of_input(output, "0a" * 8) == DAYS
    assert days_of_input(output, "0b" * 8) is None
    assert days_of_input(output, None) is None


def test_a_day_is_written_once_by_each_who_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(storage, "write_atomic", lambda path, *_: written.append(path))
    days = InputDays(Output(str(tmp_path)))
    days.note("0a" * 8, DAYS)
    days.note("0a" * 8, DAYS)
    assert len(written) == len({*written}) == len(DAYS)


def day_of(tmp_path: Path, number: int) -> Path:
    document = sample()
    document["collector"]["received_at"] = f"2026-03-{number:02d}T10:00:00Z"
    document["data"]["baseData"]["properties"] |= {"unique_id": f"event {number}", "client_machineid": "0a" * 32}
    return write_lines(tmp_path / f"{number}.ndjson", [document])


def test_a_days_run_lists_as_many_folders_however_many_days_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[tuple[str, date]] = []
    names = Listing.names

    def counting(self: Listing, dataset: str, day: date) -> list:
        listed.append((dataset, day))
        return names(self, dataset, day)

    monkeypatch.setattr(Listing, "names", counting)
    counts = []
    for number in range(2, 9):
        listed.clear()
        run_batch(day_of(tmp_path, number), tmp_path / "out")
        counts.append(len(listed))
    assert counts[-2:] == counts[-4:-2], f"two days, as a suggestion is published with every second one: {counts}"
    assert not {day for _, day in listed} & {date(2026, 3, n) for n in range(2, 4)}


def test_an_output_whose_days_were_not_noted_is_looked_at_as_a_whole(tmp_path: Path) -> None:
    """As versions before this one left it: the same input again replaces its files, and finds its books."""
    source = day_of(tmp_path, 5)
    run_batch(source, tmp_path / "out")
    run_batch(day_of(tmp_path, 6), tmp_path / "out")
    for noted in (tmp_path / "out" / "_inputs").glob("*/*"):
        noted.unlink()
    assert run_batch(source, tmp_path / "out").landed == 1
    digest = storage.input_digest(storage.expand_inputs([str(source)]))
    assert {mark.day for mark in read_marks(Output(str(tmp_path / "out")), digest)} == {date(2026, 3, 5)}
