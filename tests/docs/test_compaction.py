"""docs/compaction.md: its commands run one after the other."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.conftest import KEY_RING, run_batch
from tests.curating.test_windows import event
from tests.docs.test_schedule import sh
from tests.support.pages import code_blocks

PAGE = (Path(__file__).parents[2] / "docs" / "compaction.md").read_text()
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_the_commands_run_one_after_the_other(tmp_path: Path) -> None:
    for number, days_ago in enumerate((3, 3, 2, 0)):
        lines = [event(100 * number + n, NOON - timedelta(days=days_ago, minutes=n), n) for n in range(5)]
        raw = tmp_path / f"{number}.ndjson"
        raw.write_bytes(b"\n".join(lines))
        run_batch(raw, tmp_path / "datasets")
    (tmp_path / "keys").symlink_to(KEY_RING)
    printed = []
    for block in code_blocks(PAGE, "sh"):
        done = sh(f"set -e\n{block}", tmp_path)
        assert done.returncode == 0, (block, done.stderr)
        printed.append(done.stdout)
    first, changed, after = printed
    assert "to compact 1 closed days up to 2026-03-07" in first  # as the page says of the 10th
    assert re.search(r"^checksum [0-9a-f]{32}$", first, re.MULTILINE)
    assert "compacted; receipt: datasets/_compacted/receipts/" in changed
    assert "20 payloads, 20 events" in after
    assert "nothing is to be compacted in days up to 2026-03-07" in after
