"""The endless job and its key ring: wrapped, and rotated while it runs."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines import keys
from pipelines.keeping.months import relative_month
from tests.conftest import read_rows
from tests.curating.test_windows import event
from tests.support.stream_jobs import needs_prism, streaming
from tests.support.wrapping import age_identity
from transforms.core.keys.wrapping_keys import VARIABLE


@needs_prism
def test_on_prism_with_a_wrapped_ring_that_gets_this_month_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the month events go aside, as soon as it is there they land: nobody starts the job again."""
    monkeypatch.setenv(VARIABLE, "")
    folder, ring, identity = tmp_path / "in", str(tmp_path / "ring"), age_identity(tmp_path / "age.txt")
    folder.mkdir()
    keys.create(ring, relative_month(-1), 1, identity)

    def roll(name: str, first: int) -> None:
        path, now = tmp_path / name, datetime.now(UTC)
        path.write_bytes(b"".join(event(n, now, n) + b"\n" for n in range(first, first + 10)))
        os.utime(path, (time.time() - 60, time.time() - 60))
        path.rename(folder / name)

    def rows(dataset: str) -> int:
        return len(read_rows(tmp_path / "out", dataset)) if (tmp_path / "out" / dataset).exists() else 0

    roll("1.ndjson", 0)
    flags = ("--watch", f"--key_ring={ring}", f"--wrapping_key={identity}")
    with streaming(str(folder), tmp_path / "out", *flags) as job:
        job.wait_for(lambda: rows("quarantine") == 10)
        monkeypatch.setenv(VARIABLE, identity)
        keys.rotate(ring, f"{ring}/private", relative_month(1))
        roll("2.ndjson", 10)
        job.wait_for(lambda: rows("displays") == 10)
        assert job.stop() == 0
    assert {row["key_id"] for row in read_rows(tmp_path / "out", "displays")} == {relative_month(0)}
