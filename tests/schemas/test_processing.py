"""The record of processing says what the contract says today, and marks what only the operator knows."""

from pathlib import Path

import pytest

from schemas import processing
from schemas.dictionary import DATASETS
from schemas.errors import InvalidOptions
from schemas.processing import BEGIN, END, STATED, read_statements, record_of_processing, with_record
from schemas.registry import load

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"


def test_the_page_is_up_to_date() -> None:
    assert with_record(PAGE.read_text(), record_of_processing({})) == PAGE.read_text(), "run: make docs"


def test_every_dataset_has_its_retention_and_level() -> None:
    record = record_of_processing({})
    for name in DATASETS:
        row = next(line for line in record.splitlines() if line.startswith(f"| {name} |"))
        assert f"| {load(name).level} | {load(name).delete_after_days} |" in row
        assert ("the role" in row) is (name in ("snippets", "quarantine"))


def test_every_treated_column_stands_with_its_treatment() -> None:
    lines = record_of_processing({}).splitlines()
    for name in DATASETS:
        for field in load(name).fields:
            if field.treatment != "keep":
                (row,) = [line for line in lines if line.startswith(f"| {field.treatment} |")]
                assert f"`{field.name}`" in row


def test_what_the_operator_states_takes_its_place_and_the_rest_is_marked() -> None:
    assert record_of_processing({}).count("to be stated by the operator") == len(STATED)
    record = record_of_processing({"basis": "consent"})
    assert record.count("to be stated by the operator") == len(STATED) - 1
    assert "| basis | consent |" in record


def test_the_command_fills_a_copy_again_and_again(tmp_path: Path) -> None:
    page, statements = tmp_path / "ours.md", tmp_path / "statements.toml"
    page.write_text(PAGE.read_text())
    statements.write_text('controller = "Example Ltd"\n')
    processing.main([str(page), f"--statements={statements}"])
    first = page.read_text()
    processing.main([str(page), f"--statements={statements}"])
    assert page.read_text() == first != PAGE.read_text()
    assert "| controller | Example Ltd |" in first
    assert (first.partition(BEGIN)[0], first.partition(END)[2]) == (
        PAGE.read_text().partition(BEGIN)[0],
        PAGE.read_text().partition(END)[2],
    )


@pytest.mark.parametrize("content", ['owner = "x"\n', "basis = 7\n", 'basis = "a|b"\n', 'basis = "a\\nb"\n', "basis"])
def test_statements_that_are_none_are_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "s.toml").write_text(content)
    for path in (tmp_path / "s.toml", tmp_path / "none.toml"):
        with pytest.raises(InvalidOptions, match=r"^--statements .*") as refused:
            read_statements(str(path))
        assert "\n" not in str(refused.value)


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(InvalidOptions, match="no place for the record"):
        with_record("# A page\n", "")
