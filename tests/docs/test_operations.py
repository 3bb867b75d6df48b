"""docs/operations.md: its commands run one after the other, as on a day on which everything happens."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines import keys
from pipelines.keeping import readers
from tests.conftest import read_rows, write_lines
from tests.docs.test_schedule import sh
from tests.support.pages import code_blocks
from tests.support.persons import event, life, machine, person_line
from transforms.core.keys import keyring

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def test_the_commands_run_one_after_the_other(tmp_path: Path) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    at = f"{yesterday}T10:00:12.920Z"
    ring = tmp_path / "keys"
    keys.main(["create", f"--output={ring}"])
    month = max(keyring.load(str(ring)).epochs)
    readers.add_reader(str(ring), "prompts", "bob", month[:4] + "-01", str(tmp_path / "bob.json"))
    (tmp_path / "bob.json").unlink()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "raw" / str(yesterday)).mkdir(parents=True)
    broken = event(1, 7, received_at=at)
    broken["data"]["baseData"]["measurements"] = []
    people = [life(person, received_at=at) for person in range(1, 8)]
    lines = [*(line for lived in people for line in lived), broken]
    write_lines(tmp_path / "raw" / str(yesterday) / "raw.ndjson", lines)
    (tmp_path / "who.jsonl").write_text(person_line(1))
    (tmp_path / "less.jsonl").write_text(person_line(2, telemetry_level="error"))
    printed = ""
    for block in code_blocks(PAGE, "sh"):
        done = sh(f"set -e\nmonth={month}\n{block}", tmp_path)
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        printed += done.stdout
    assert "chain output goes on under the key" in printed
    assert (
        f"the keys of {month} are gone from the key ring and from each key file that was shown; not proven" in printed
    )
    assert machine(1) in (tmp_path / "export" / "quarantine.jsonl").read_text()
    left = {row["installation_id"] for row in read_rows(tmp_path / "datasets", "displays")}
    assert len(left) == 5  # one was erased, one permits errors alone
    assert not read_rows(tmp_path / "datasets", "quarantine")
    assert {row["installation_id"] for row in read_rows(tmp_path / "new-datasets", "displays")}.isdisjoint(left)
