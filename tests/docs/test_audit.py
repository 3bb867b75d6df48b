"""docs/audit.md: its commands run one after the other, its table names the commands that read what keys open."""

import re
from pathlib import Path

from tests.conftest import PRIVATE, run_batch, sample, write_lines
from tests.docs.test_schedule import sh
from tests.support.pages import code_blocks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "audit.md").read_text()


def test_the_commands_run_one_after_the_other(tmp_path: Path) -> None:
    run_batch(write_lines(tmp_path / "raw.ndjson", [sample("snippets/pass/engine.prompt")]), tmp_path / "datasets")
    read = f"python -m pipelines.snippets --datasets datasets --private_key {PRIVATE}/prompts.json --purpose 'a test'"
    assert sh(read, tmp_path).returncode == 0
    for block in code_blocks(PAGE, "sh"):
        done = sh(f"set -e\n{block}", tmp_path)
        assert done.returncode == 0, (block, done.stderr)
        assert "1 rows: a test" in done.stdout


def test_every_command_that_writes_a_line_stands_in_the_table() -> None:
    rows = [row for row in PAGE.splitlines() if row.startswith("| `")]
    listed = {job for row in rows for job in re.findall(r"`pipelines\.(\w+)`", row.split("|")[1])}
    jobs = {path.stem: path.read_text() for path in (ROOT / "pipelines").glob("*.py")}
    tells = {name for name, text in jobs.items() if "add_audit_flags" in text or "pipelines.erasing.told" in text}
    assert listed == tells
