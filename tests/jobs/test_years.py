"""One output over its life: each job that changes landed files, one after the other, and verify after each."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from pipelines import compact, erase, expire, export, metrics, replay, verify, withdraw
from tests.conftest import KEY_RING, PRIVATE, all_rows, read_rows, run_batch, write_lines
from tests.support.persons import event, life, people_file, person_line
from transforms.core.output.layout import DATA_DATASETS

DAYS = ("2026-03-10", "2026-03-11", "2026-03-31", "2026-04-01")
PEOPLE = range(1, 13)
RING = f"--key_ring={KEY_RING}"
ROLES = [f"--private_key={PRIVATE / role}.json" for role in ("operators", "prompts", "completions")]
OPERATOR = PRIVATE / "operators.json"


class Life:
    """An output, and what an operator does with it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.output, self._capsys = folder, folder / "out", capsys
        for day in DAYS:
            at = f"{day}T10:00:12.920Z"
            broken = event(5, 9, received_at=at)
            broken["data"]["baseData"]["measurements"] = []
            write_lines(folder / f"{day}.ndjson", [*(e for p in PEOPLE for e in life(p, received_at=at)), broken])

    def land(self, day: str) -> None:
        run_batch(self.folder / f"{day}.ndjson", self.output, "--max_quarantined_share=100%")
        self.verify()

    def change(self, job: ModuleType, *flags: str) -> str:
        """Dry run, then the run with its checksum; returns what both have printed."""
        where = [f"--{'output' if job is replay else 'datasets'}={self.output}", RING, *flags]
        self._capsys.readouterr()
        job.main([*where, "--dry_run"])
        told = self._capsys.readouterr().out
        job.main([*where, f"--checksum={checksum_of(told)}"])
        self.verify()
        return told + self._capsys.readouterr().out

    def verify(self) -> None:
        verify.main([f"--datasets={self.output}", f"--witness={self.folder}/witness.json"])

    def files(self, dataset: str) -> int:
        return len([*self.output.glob(f"{dataset}/*/*.parquet")])

    def people(self, datasets: Sequence[str] = DATA_DATASETS) -> dict[str, set[str]]:
        """Pseudonyms of installations by month."""
        found: dict[str, set[str]] = {}
        for row in (row for name in datasets for row in read_rows(self.output, name)):
            if row.get("installation_id"):
                found.setdefault(row["key_id"], set()).add(row["installation_id"])
        return found


def checksum_of(told: str) -> str:
    (checksum,) = [line.split()[1] for line in told.splitlines() if line.startswith("checksum ")]
    return checksum


def rows_of_events(output: Path) -> dict[str, list[dict]]:
    return {name: rows for name, rows in all_rows(output).items() if name != "ledger"}


def test_an_output_lives_through_all_jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    life_of = Life(tmp_path, capsys)
    for day in DAYS:
        life_of.land(day)
    rows = rows_of_events(life_of.output)

    life_of.change(compact)
    assert life_of.files("displays") < 4 * len(DAYS)
    assert rows_of_events(life_of.output) == rows
    life_of.land(DAYS[0])  # an input of a compacted day, again
    assert rows_of_events(life_of.output) == rows

    people = people_file(tmp_path, [1, 2])
    life_of.change(erase, f"--people={people}", *ROLES)
    left = life_of.people()
    assert {month: len(names) for month, names in left.items()} == {"2026-03": 10, "2026-04": 10}
    for day in DAYS:
        life_of.land(day)  # no old input brings them back, of compacted days and of others
    assert life_of.people() == left

    less = tmp_path / "less.jsonl"
    less.write_text(person_line(3, telemetry_level="error", snippet_consent=False))
    life_of.change(withdraw, f"--people={less}", *ROLES)
    assert {len(names) for names in life_of.people(["displays"]).values()} == {9}

    life_of.change(replay, f"--private_key={OPERATOR}", "--purpose=reading again")  # all of it still fails
    assert len(read_rows(life_of.output, "quarantine")) == len(DAYS)
    assert {month: len(names) for month, names in life_of.people(["displays"]).items()} == {"2026-03": 9, "2026-04": 9}

    (tmp_path / "who.jsonl").write_text(person_line(4))
    capsys.readouterr()
    flags = [f"--datasets={life_of.output}", RING, f"--people={tmp_path}/who.jsonl", f"--to={tmp_path}/export",
             f"--operator_key={OPERATOR}", *ROLES[1:], "--purpose=asked on 3 March"]  # fmt: skip
    export.main([*flags, "--dry_run"])
    export.main([*flags, f"--checksum={checksum_of(capsys.readouterr().out)}"])
    given = [json.loads(line) for line in (tmp_path / "export" / "displays.jsonl").read_text().splitlines()]
    assert len(given) == len(DAYS)

    metrics.main([f"--datasets={life_of.output}", RING, "--min_installations=2", "--privacy_epsilon=none"])
    life_of.verify()

    life_of.change(expire, "--as_of=2026-06-15")  # past the 30 days of quarantine, and of March past the 90 of code
    assert not read_rows(life_of.output, "quarantine")
    assert {row["received_date"] for row in read_rows(life_of.output, "snippets")} == {"2026-03-31", "2026-04-01"}
    for day in DAYS:
        life_of.land(day)
    assert {len(names) for names in life_of.people(["displays"]).values()} == {9}
