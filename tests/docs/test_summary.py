"""The last thing that `make test` says is its summary."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("workers", ["0", "1"])
def test_nothing_follows_the_summary_where_a_job_ran_beside_duckdb(tmp_path: Path, workers: str) -> None:
    """In a process that has frozen its objects, DuckDB used to tell of hundreds of leaks as it ended."""
    (tmp_path / "test_frozen.py").write_text(
        "import gc\n\nimport duckdb\n\n\ndef test_it():\n    gc.freeze()\n    duckdb.sql('select 1').fetchall()\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-n", workers, f"--rootdir={tmp_path}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, "-c", os.devnull, "-p", "no:cacheprovider", tmp_path / "test_frozen.py"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert "1 passed in" in done.stdout.strip().splitlines()[-1]
    assert "nanobind" not in done.stdout
