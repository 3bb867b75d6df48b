"""docs/export.md: its commands run one after the other."""

import shutil
from pathlib import Path

from tests.conftest import KEY_RING, run_batch, write_lines
from tests.docs.test_schedule import sh
from tests.support.pages import code_blocks
from tests.support.persons import life, person_line

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text()


def test_the_commands_run_one_after_the_other(tmp_path: Path) -> None:
    run_batch(write_lines(tmp_path / "raw.ndjson", [*life(1), *life(2)]), tmp_path / "datasets")
    shutil.copytree(KEY_RING, tmp_path / "keys")
    (tmp_path / "person.txt").write_text(person_line(2))
    for block in code_blocks(PAGE, "sh"):
        done = sh(f"set -e\n{block}", tmp_path)
        assert done.returncode == 0, (block, done.stderr)
    assert "rows of the person are in export/" in done.stdout
    assert "return w * h" in (tmp_path / "export" / "snippets.jsonl").read_text()
