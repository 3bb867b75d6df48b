"""docs/quarantine.md: its commands run one after the other, and its reasons are those of the code."""

import re
from pathlib import Path

from pipelines import keys
from schemas.errors import Reason
from tests.conftest import read_rows, sample, write_lines
from tests.docs.test_schedule import sh
from tests.support.pages import code_blocks

PAGE = (Path(__file__).parents[2] / "docs" / "quarantine.md").read_text()


def test_the_commands_run_one_after_the_other(tmp_path: Path) -> None:
    keys.create(str(tmp_path / "keys"), "2026-03", 1)
    february = sample()
    february["collector"]["received_at"] = "2026-02-27T10:00:00Z"
    write_lines(tmp_path / "raw.ndjson", [sample(), february])
    land = "python -m pipelines.batch --input raw.ndjson --output datasets --key_ring keys --max_quarantined_share 100%"
    assert sh(land, tmp_path).returncode == 0
    keys.rotate(str(tmp_path / "keys"), str(tmp_path / "keys" / "private"), "2026-02")
    for block in code_blocks(PAGE, "sh"):
        done = sh(f"set -e\n{block}", tmp_path)
        assert done.returncode == 0, (block, done.stderr)
    assert "1 landed" in done.stdout
    assert {row["received_date"] for row in read_rows(tmp_path / "datasets", "displays")} == {
        "2026-02-27",
        "2026-03-29",
    }


def test_the_reasons_are_those_of_the_code() -> None:
    table = PAGE.partition("## Reasons")[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])} == {*map(str, Reason)}
