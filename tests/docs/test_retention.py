"""docs/retention.md: its table is the contract, its commands run one after the other."""

import re
import shutil
from pathlib import Path

from pipelines.retention.plan import EXPIRING
from schemas.registry import load
from tests.conftest import KEY_RING, run_batch, sample, write_lines
from tests.docs.test_schedule import sh
from tests.support.pages import code_blocks
from transforms.core.output.layout import LEDGER

PAGE = (Path(__file__).parents[2] / "docs" / "retention.md").read_text()


def test_the_table_is_that_of_the_contract() -> None:
    rows = re.findall(r"^\| (`.+) \| (\d+) \|$", PAGE, re.MULTILINE)
    told = {name: int(days) for names, days in rows for name in re.findall(r"`(\w+)`", names)}
    assert told == {name: load(name).delete_after_days for name in (*EXPIRING, LEDGER)}


def test_the_commands_run_one_after_the_other(tmp_path: Path) -> None:
    run_batch(write_lines(tmp_path / "raw.ndjson", [sample(), b"{"]), tmp_path / "datasets")
    shutil.copytree(KEY_RING, tmp_path / "keys")
    printed = ""
    for block in code_blocks(PAGE, "sh"):
        done = sh(f"set -e\n{block}", tmp_path)
        assert done.returncode == 0, (block, done.stderr)
        printed += done.stdout
    assert re.search(r"^checksum [0-9a-f]{32}$", printed, re.MULTILINE)
    assert "2 payloads, 2 events" in printed
