"""What people no longer permit goes out of landed files, and the rest of their rows stays as if they had come so."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines import snippets, verify, withdraw
from schemas.errors import InvalidOptions
from tests.conftest import KEY_RING, PRIVATE, all_rows, run_batch, write_lines
from tests.support.changes import done, dry
from tests.support.persons import KINDS, event, life, person_line

KEYS = [f"--private_key={PRIVATE / role}.json" for role in ("operators", "prompts", "completions")]
ERROR_KIND = "errors/pass/auth.invalid_token"
PEOPLE = range(6)
LEVELS: dict[int, dict[str, Any]] = {
    1: {"telemetry_level": "error"},
    2: {"snippet_consent": False},
    3: {"telemetry_level": "off"},
    4: {"telemetry_level": "crash"},
}


def documents(levels: dict[int, dict[str, Any]]) -> list[Any]:
    """Lives and an error of each person, whose stamps have these levels."""
    found = []
    for person in PEOPLE:
        stamp = levels.get(person, {})
        found += [*life(person, **stamp), event(person, 3, ERROR_KIND, **stamp)]
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("withdraw")
    for name, levels in (("out", {}), ("expected", LEVELS)):
        raw = write_lines(folder / f"{name}.ndjson", documents(levels))
        run_batch(raw, folder / name, "--close_open_suggestions")
    (folder / "people.jsonl").write_text("\n".join(person_line(p, **level) for p, level in LEVELS.items()))
    return folder


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "out", tmp_path / "out")
    return tmp_path / "out"


def flags(made: Path, output: Path) -> list[str]:
    return [f"--datasets={output}", f"--key_ring={KEY_RING}", f"--people={made}/people.jsonl", *KEYS]


def data_rows(output: Path) -> dict[str, Any]:
    """Without the database's date, which the jobs leave on rows whose place they withhold."""
    found = {name: rows for name, rows in all_rows(output).items() if name != "ledger" and rows}
    return {name: [{**row, "geo_database_date": None} for row in rows] for name, rows in found.items()}


def test_what_is_left_is_what_would_have_landed_with_the_new_levels(made: Path, output: Path, tmp_path: Path) -> None:
    text, _ = dry(withdraw.main, *flags(made, output))
    assert "lose values" in text
    assert "withdrew what is no longer permitted; receipt: " in done(withdraw.main, *flags(made, output))
    assert data_rows(output) == data_rows(made / "expected")
    target = tmp_path / "code.jsonl"
    snippets.main(
        [f"--datasets={output}", f"--private_key={PRIVATE}/completions.json", f"--to={target}", "--purpose=test"]
    )
    assert len(target.read_text().splitlines()) == 2  # of the two people who still permit it
    verify.main([f"--datasets={output}", "--max_unjoined=100%"])


def test_the_second_time_there_is_nothing(made: Path, output: Path) -> None:
    done(withdraw.main, *flags(made, output))
    text, _ = dry(withdraw.main, *flags(made, output))
    assert text.startswith("4 people: nothing of theirs was found")
    assert "nothing was to be withdrawn" in done(withdraw.main, *flags(made, output))


def test_an_old_input_brings_nothing_back(made: Path, output: Path) -> None:
    done(withdraw.main, *flags(made, output))
    left = data_rows(output)
    books = run_batch(made / "out.ndjson", output, "--close_open_suggestions")
    # At level error a life goes, at crash the error as well, without consent the code; at off everything.
    assert books.withheld == {"withdrawn": len(KINDS) + 1 + len(KINDS) + 1, "erased": len(KINDS) + 1}
    assert data_rows(output) == left == data_rows(made / "expected")
    verify.main([f"--datasets={output}", "--max_unjoined=100%"])


def test_who_withdraws_nothing_is_refused(made: Path, output: Path, tmp_path: Path) -> None:
    (tmp_path / "people.jsonl").write_text(f"{person_line(1, telemetry_level='off')}\n{person_line(2)}\n")
    with pytest.raises(InvalidOptions, match="person 2 of 2 has neither telemetry_level nor snippet_consent"):
        withdraw.main([*flags(tmp_path, output), "--dry_run"])


def test_another_level_is_another_checksum(made: Path, output: Path, tmp_path: Path) -> None:
    seen = set()
    for level in ("off", "crash", "error"):
        (tmp_path / "people.jsonl").write_text(json.dumps({**json.loads(person_line(1)), "telemetry_level": level}))
        seen.add(dry(withdraw.main, *flags(tmp_path, output))[1])
    assert len(seen) == 3
