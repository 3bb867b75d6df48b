"""What the columns mean lies beside the datasets, once for each contract, and verify misses it."""

import json
from pathlib import Path

import pytest

from pipelines import verify
from schemas.dictionary import DATASETS
from schemas.errors import UnbalancedBooks
from schemas.registry import contract_digest, load
from tests.conftest import run_batch, sample, write_lines
from transforms.core.output.layout import Output
from transforms.core.output.ledger import read_marks
from transforms.core.output.schema_file import schema_problems, write_schema_file


@pytest.fixture
def output(tmp_path: Path) -> Path:
    run_batch(write_lines(tmp_path / "raw.ndjson", [sample()]), tmp_path / "out")
    return tmp_path / "out"


def the_file(output: Path) -> Path:
    (found,) = (output / "_schemas").iterdir()
    return found


def test_each_column_of_each_dataset_is_explained(output: Path) -> None:
    told = json.loads(the_file(output).read_text())
    assert (the_file(output).stem, told["contract"]) == (contract_digest(),) * 2
    assert {*told["datasets"]} == {*DATASETS}
    for name, dataset in told["datasets"].items():
        assert [c["name"] for c in dataset["columns"]] == [f.name for f in load(name).fields]
        assert dataset["doc"]
    units = {c["name"]: c.get("unit") for c in told["datasets"]["displays"]["columns"]}
    assert (units["time_since_issued_ms"], units["language"]) == ("ms", None)


def test_it_is_written_once(output: Path) -> None:
    before = the_file(output).stat()
    write_schema_file(Output(str(output)))
    assert the_file(output).stat() == before


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"{}"], ids=str)
def test_verify_misses_one_that_is_gone_or_damaged(output: Path, content: bytes | None) -> None:
    verify.main([f"--datasets={output}"])
    if content is None:
        the_file(output).unlink()
    else:
        the_file(output).write_bytes(content)
    with pytest.raises(UnbalancedBooks, match="1 places"):
        verify.main([f"--datasets={output}"])
    (told,) = schema_problems(Output(str(output)), read_marks(Output(str(output))))
    assert ("missing" if content is None else "damaged") in told


@pytest.mark.parametrize(
    ("content", "problems"), [('{"contract": "ab", "datasets": {"x": 1}}', 0), ('{"contract": "x"}', 1)]
)
def test_one_of_another_contract_must_name_it(output: Path, content: str, problems: int) -> None:
    (output / "_schemas" / "ab.json").write_text(content)
    marks = read_marks(Output(str(output)))
    for mark in marks:
        mark.row["contract"] = "ab"
    assert len(list(schema_problems(Output(str(output)), marks))) == problems
