"""A role's key opens its columns of a file of snippets, and the plain ones; what it does not open is one error."""

from pathlib import Path

import pytest

from pipelines import keys
from schemas.errors import KeyUnavailable
from tests.conftest import PRIVATE, run_batch, sample, write_lines
from transforms.core.keys.private_keys import load_private
from transforms.core.output.code_columns import read_code, readable_columns
from transforms.core.output.layout import DataFile, Output


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> DataFile:
    folder = tmp_path_factory.mktemp("code")
    run_batch(write_lines(folder / "raw.ndjson", [sample("snippets/pass/engine.prompt")]), folder / "out")
    (found,) = Output(str(folder / "out")).listing().files("snippets")
    return found


def test_columns_of_a_role() -> None:
    assert "prompt_json" in readable_columns("prompts")
    assert "completion_text_json" not in readable_columns("prompts")
    assert {"event_id", "language"} <= {*readable_columns("completions")}
    with pytest.raises(KeyUnavailable, match="role operators may read no code"):
        readable_columns("operators")


def test_a_file_is_read_with_its_role_s_key(file: DataFile) -> None:
    table = read_code(file, load_private(str(PRIVATE / "prompts.json")), readable_columns("prompts"))
    assert table.column_names == readable_columns("prompts")
    assert table["prompt_json"].null_count == 0


def test_other_keys_are_one_clear_error(file: DataFile, tmp_path: Path) -> None:
    keys.create(str(tmp_path / "other"), "2026-01", 12)
    stranger = load_private(str(tmp_path / "other" / "private" / "prompts.json"))
    with pytest.raises(KeyUnavailable, match="does not open"):
        read_code(file, stranger, readable_columns("prompts"))
    with pytest.raises(KeyUnavailable):
        read_code(file, load_private(str(PRIVATE / "completions.json")), ["prompt_json"])
