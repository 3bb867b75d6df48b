"""Where people develop: the jobs on a system without /proc and prctl, as macOS is one."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from tests.conftest import KEY_RING, read_rows, sample, write_lines
from tests.curating.test_windows import event
from tests.support.stream_jobs import children, command, needs_prism, streaming
from tests.support.without_proc import without_proc

pytestmark = pytest.mark.xdist_group("streaming")


@needs_prism
def test_the_endless_job_starts_its_processes_and_takes_them_along(tmp_path: Path) -> None:
    hidden = without_proc(tmp_path / "hidden")
    (tmp_path / "in").mkdir()
    now = datetime.now(UTC)
    (tmp_path / "in" / "a.ndjson").write_bytes(b"".join(event(n, now, n) + b"\n" for n in range(20)))
    with streaming(str(tmp_path / "in"), tmp_path / "out", "--watch", env=hidden.env, through=hidden.through) as job:
        job.wait_taken((tmp_path / "in" / "a.ndjson").stat().st_size)
        own = children(job.process.pid)
        assert sorted("prism" in command(pid) for pid in own) == [False, True]
        every = psutil.Process(job.process.pid).children(recursive=True)
        assert len(every) == 3  # the reader, Prism, and what waits beside Prism for the end of the job
        job.kill()
    until = time.monotonic() + 20
    while [process for process in every if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert len(read_rows(tmp_path / "out", "displays")) == 20


def test_the_batch_job_runs_and_knows_a_dead_holder(tmp_path: Path) -> None:
    hidden = without_proc(tmp_path / "hidden")
    write_lines(tmp_path / "raw.ndjson", [sample()])
    environment = {**os.environ, **hidden.env}
    claim = (
        "import os, signal\nfrom transforms.core.output.claim import Claim\nfrom transforms.core.output.layout import Output\n"
        f"Claim(Output({str(tmp_path / 'out')!r})).take()\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([*hidden.through, sys.executable, "-c", claim], env=environment, check=False)
    assert (tmp_path / "out" / "_claim.json").exists()
    job = [sys.executable, "-W", "ignore", "-m", "pipelines.batch", f"--input={tmp_path}/raw.ndjson",
           f"--output={tmp_path}/out", f"--key_ring={KEY_RING}", "--buckets=4"]  # fmt: skip
    done = subprocess.run(
        [*hidden.through, *job], env=environment, capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "the books balance" in done.stdout
    assert len(read_rows(tmp_path / "out", "displays")) == 1
