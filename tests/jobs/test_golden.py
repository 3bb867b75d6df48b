"""Golden cases: a folder holds input.ndjson and expected/<dataset>.jsonl; adding a folder adds a test."""

import json
from pathlib import Path

import pytest

from pipelines import snippets
from tests.conftest import DATA, PRIVATE, all_rows, run_batch

CASES = sorted(p for p in (DATA / "golden").iterdir() if p.is_dir())


def as_lines(rows: list[dict]) -> list[str]:
    return [json.dumps(row, default=str, sort_keys=True) for row in rows]


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_case_gives_the_expected_rows(case: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    manifests = [f"--telemetry_manifest={path}" for path in case.glob("telemetry.json")]
    run_batch(case / "input.ndjson", tmp_path / "out", "--buckets=1", *manifests)
    found = {name: as_lines(rows) for name, rows in all_rows(tmp_path / "out").items()}
    for role in (
        ("prompts", "completions") if "snippets" in found else ()
    ):  # `pipelines.snippets` refuses if there is no code
        target = tmp_path / f"{role}.jsonl"
        snippets.main(
            [f"--datasets={tmp_path}/out", f"--private_key={PRIVATE}/{role}.json", f"--to={target}", "--purpose=a test"]
        )
        found[f"snippets_for_{role}"] = target.read_text().splitlines()
    folder = case / "expected"
    if request.config.getoption("--update-golden"):
        folder.mkdir(exist_ok=True)
        for name, lines in found.items():
            (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    expected = {p.stem: p.read_text().splitlines() for p in sorted(folder.glob("*.jsonl"))}
    assert found == expected
