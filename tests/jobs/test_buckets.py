"""How many buckets a run has changes the names of files and the memory it takes, and no row."""

import json
import re
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines import batch, generate, verify
from tests.conftest import KEY_RING, all_rows, landing, run_batch, write_lines
from tests.support.border import in_memory
from transforms.core.output.layout import parse_name

LEDGER_ALONE = "ledger"


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A generated day in six inputs that follow one another in time; each begins with copies of the one before."""
    folder = tmp_path_factory.mktemp("days")
    flags = ["--events=1500", "--seed=6", "--date=2026-03-29", "--container=ndjson"]
    generate.main([f"--output={folder}/day", *flags, "--without_rubbish", "--without_code"])
    lines = [line for path in sorted((folder / "day" / "raw").glob("*")) for line in path.read_bytes().splitlines()]
    lines.sort(key=lambda line: datetime.fromisoformat(json.loads(line)["collector"]["received_at"]))
    cuts = [len(lines) * n // 6 for n in range(7)]
    return [write_lines(folder / f"{n}.ndjson", lines[max(cuts[n] - 20, 0) : cuts[n + 1]]) for n in range(6)]


def landed(days: Sequence[Path], output: Path, buckets: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
    """Rows of all datasets but the ledger."""
    for day, count in zip(days, buckets, strict=True):
        run_batch(day, output, f"--buckets={count}")
    verify.main([f"--datasets={output}"])
    return {name: rows for name, rows in all_rows(output).items() if name != LEDGER_ALONE}


def test_growing_and_shrinking_gives_the_same_rows(days: list[Path], tmp_path: Path) -> None:
    expected = landed(days, tmp_path / "same", [4] * 6)
    assert len(expected["suggestions"]) > 100
    assert len({row["slot_code"] for row in expected["displays"]}) > 10
    assert landed(days, tmp_path / "other", [1, 16, 2, 7, 3, 1]) == expected
    names = {parse_name(p.name) for p in (tmp_path / "other").glob("requests/*/*.parquet")}
    assert {name.buckets for name in names if name} >= {1, 16, 2, 7, 3}


def files_of(output: Path) -> dict[str, bytes]:
    return {str(p.relative_to(output)): p.read_bytes() for p in output.glob("*/*/*.parquet")}


def test_the_same_input_has_as_many_again_and_other_files_of_it_go(days: list[Path], tmp_path: Path) -> None:
    run_batch(days[0], tmp_path / "out", "--buckets=5")
    once, rows = files_of(tmp_path / "out"), all_rows(tmp_path / "out")
    batch.run([f"--input={days[0]}", f"--output={tmp_path}/out", f"--key_ring={KEY_RING}"])  # it would get one bucket
    assert files_of(tmp_path / "out") == once
    run_batch(days[0], tmp_path / "out", "--buckets=2")
    assert {p.name.rpartition("-")[2] for p in (tmp_path / "out").glob("displays/*/*")} == {
        "0000of0002.parquet", "0001of0002.parquet",
    }  # fmt: skip
    again = all_rows(tmp_path / "out")
    assert {name: rows for name, rows in again.items() if name != LEDGER_ALONE} == {
        name: rows for name, rows in rows.items() if name != LEDGER_ALONE
    }
    verify.main([f"--datasets={tmp_path}/out"])


def make_older(output: Path) -> None:
    """As versions wrote it in which a bucket was a slot: names tell no number of buckets, and no row its slot; ids of
    events and suggestions have one key for good."""
    for path in output.glob("*/*/*.parquet"):
        table = pq.ParquetFile(path).read()
        if (dataset := path.parts[-3]) != LEDGER_ALONE:
            table = landing().from_files(dataset, table)
        names = [name for name in table.column_names if name not in ("slot_code", *YOUNGER)]
        path.unlink()
        pq.write_table(table.select(names), path.with_name(path.name.replace("of0016", "")))
    kept = json.loads((output / "_output.json").read_text())
    (output / "_output.json").write_text(
        json.dumps({**kept, "version": 2, "buckets": kept.pop("slots"), "landing_from": None})
    )
    for listed in (output / "_inputs").glob("*.json"):
        listed.write_text(json.dumps({**json.loads(listed.read_text()), "buckets": None}))
    for folder in (output / "_schemas", output / "runs"):
        shutil.rmtree(folder)
    (output / "_signing.pub").unlink()


YOUNGER = ("file_digests", "file_bytes", "proof", "removed_rows")
"""Columns of the ledger that older versions did not write."""


def without_slots(output: Path, first_month: str) -> dict[str, list[str]]:
    found = in_memory(output, first_month)
    return {name: sorted(re.sub(r"'slot_code': \w+", "", row) for row in rows) for name, rows in found.items()}


def test_an_output_of_an_older_version_goes_on(days: list[Path], tmp_path: Path) -> None:
    """What follows joins what it left open; its own input run again replaces its files."""
    landed(days[:3], tmp_path / "new", [4] * 3)
    expected = without_slots(tmp_path / "new", "")
    older = tmp_path / "older"
    run_batch(days[0], older, "--buckets=16")
    make_older(older)
    verify.main([f"--datasets={older}"])
    landed(days[1:3], older, [1, 3])
    assert without_slots(older, "2026-04") == expected
    run_batch(days[0], older, "--buckets=2")
    assert not [p for p in older.glob("*/*/*.parquet") if parse_name(p.name).buckets is None]  # type: ignore[union-attr]
    assert without_slots(older, "2026-04") == expected
    verify.main([f"--datasets={older}"])
