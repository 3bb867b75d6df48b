"""An endless job signs each window, also where it was killed in between and started again."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import read_rows
from tests.curating.test_windows import event
from tests.support.signed_outputs import alter_cell, first, problems, verified, write_public_key
from tests.support.stream_jobs import needs_prism, streaming

pytestmark = [needs_prism, pytest.mark.xdist_group("streaming")]


def test_windows_of_a_job_that_was_killed_are_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, output, now = tmp_path / "in", tmp_path / "out", datetime.now(UTC)
    folder.mkdir()
    key = f"--public_key={write_public_key(tmp_path / 'signing.pub')}"

    def roll(name: str, begin: int, count: int) -> None:
        half = folder / f"{name}.tmp"
        half.write_bytes(b"".join(event(n, now, n) + b"\n" for n in range(begin, begin + count)))
        os.utime(half, (time.time() - 60, time.time() - 60))
        half.rename(folder / name)

    def landed() -> int:
        return len(read_rows(output, "displays")) if (output / "displays").exists() else 0

    roll("1.ndjson", 0, 30)
    with streaming(str(folder), output, "--watch") as job:
        job.wait_for(lambda: landed() == 30)
        verified(output, key, "--while_running", "--only_manifests")
        roll("2.ndjson", 30, 20)
        job.wait_for(lambda: landed() == 50)
        job.kill()
    with streaming(str(folder), output, "--watch") as job:
        roll("3.ndjson", 50, 10)
        job.wait_for(lambda: landed() == 60)
        assert job.stop() == 0
    capsys.readouterr()
    verified(output, key)
    assert "the books balance" in capsys.readouterr().out
    alter_cell(first(output, "displays/*/*.parquet"))
    assert any("altered" in line for line in problems(output, capsys, key))
