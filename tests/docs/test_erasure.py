"""docs/erasure.md: its commands run one after the other, its table is that of the program and the contract."""

import re
import shutil
from pathlib import Path

from pipelines.people.people_file import KINDS
from schemas.registry import load
from tests.conftest import KEY_RING, run_batch, write_lines
from tests.docs.test_schedule import sh
from tests.support.pages import code_blocks
from tests.support.persons import life, people_file

PAGE = (Path(__file__).parents[2] / "docs" / "erasure.md").read_text()


def test_the_table_names_the_words_and_where_they_come_from() -> None:
    rows = re.findall(r"^\| (`.+?) \| .+? \| (.+?) \| `(\w+_id)` \|$", PAGE, re.MULTILINE)
    assert {word for words, _, _ in rows for word in re.findall(r"`(\w+)`", words)} == {*KINDS}
    for _, wire, column in rows:
        sources = {source.partition(".")[2] for source in load("displays").field(column).sources}
        assert {*re.findall(r"`([\w.]+)`", wire)} <= sources, column


def test_the_commands_run_one_after_the_other(tmp_path: Path) -> None:
    documents = [row for person in range(3) for row in life(person)]
    documents += life(8, client_machineid="7e7e")
    run_batch(write_lines(tmp_path / "raw.ndjson", documents), tmp_path / "datasets", "--close_open_suggestions")
    shutil.copytree(KEY_RING, tmp_path / "keys")
    people_file(tmp_path, [1])
    printed = ""
    for block in code_blocks(PAGE, "sh"):
        done = sh(f"set -e\n{block}", tmp_path)
        assert done.returncode == 0, (block, done.stderr)
        printed += done.stdout
    assert "1 people: 6 rows in 6 files" in printed
    assert "erased; receipt: datasets/_erased/" in printed
    assert "6 rows were taken out after they had landed" in printed
    assert "withdrew what is no longer permitted; receipt: " in printed
