"""Storage that fails in the middle: a clear stop, and the same run again repairs."""

import os
import resource
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from schemas.errors import StorageUnavailable
from tests.conftest import KEY_RING, all_rows, run_batch
from tests.kills import content
from tests.support.generated import generated_raw
from tests.support.servers import BUCKET, Flaky, gcs_server, reached, small_disk


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated_raw(tmp_path_factory, 1_200, seed=4, day="2026-03-30")


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))


def test_disk_that_takes_no_more(raw: Path, tmp_path: Path) -> None:
    """The operating system refuses to write on: here by a limit on the size of files."""
    flags = [f"--input={raw}", f"--output={tmp_path}/out", f"--key_ring={KEY_RING}", "--buckets=4"]
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.batch", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=_small_files)
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr.startswith("error: cannot write ")
    assert done.stderr.endswith("File too large\n")
    assert done.stderr.count("\n") == 1
    run_batch(raw, tmp_path / "out")
    run_batch(raw, tmp_path / "whole")
    assert all_rows(tmp_path / "out") == all_rows(tmp_path / "whole")
    assert not list((tmp_path / "out").rglob(".writing-*"))


def test_a_full_disk(raw: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "16m") as disk:
        flags = [f"--input={raw}", f"--output={disk}/out", f"--key_ring={KEY_RING}", "--buckets=4"]
        (disk / "filler").write_bytes(b"\0" * 16_400_000)
        command = [sys.executable, "-m", "pipelines.batch", *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (75, "")
        assert done.stderr.startswith("error: cannot write ")
        assert done.stderr.endswith("No space left on device\n")
        assert done.stderr.count("\n") == 1
        (disk / "filler").unlink()
        run_batch(raw, disk / "out")
        run_batch(raw, tmp_path / "whole")
        assert all_rows(disk / "out") == all_rows(tmp_path / "whole")
        assert not list((disk / "out").rglob(".writing-*"))


def test_write_that_is_refused(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "outcomes").write_text("a file where a folder belongs")
    with pytest.raises(StorageUnavailable, match=r"cannot (write|list) .*/outcomes"):
        run_batch(raw, tmp_path / "out")
    (tmp_path / "out" / "outcomes").unlink()
    run_batch(raw, tmp_path / "out")
    run_batch(raw, tmp_path / "whole")
    assert all_rows(tmp_path / "out") == all_rows(tmp_path / "whole")


def test_503_now_and_then_is_tried_again_and_503_for_good_is_a_clear_stop(raw: Path, tmp_path: Path) -> None:
    with gcs_server(tmp_path) as environment, ExitStack() as until_then:
        flaky = Flaky(environment["STORAGE_EMULATOR_HOST"])
        until_then.enter_context(reached({**environment, "STORAGE_EMULATOR_HOST": flaky.url}))
        import gcsfs

        gcsfs.GCSFileSystem.clear_instance_cache()
        whole = run_batch(raw, f"gs://{BUCKET}/whole")
        flaky.refuse = lambda number: number % 7 == 0
        assert run_batch(raw, f"gs://{BUCKET}/flaky") == whole
        seen = flaky.uploads
        flaky.refuse = lambda number: number > seen + 12
        with pytest.raises(StorageUnavailable, match=f"cannot write gs://{BUCKET}/stopped"):
            run_batch(raw, f"gs://{BUCKET}/stopped")
        flaky.refuse = lambda _: False
        run_batch(raw, f"gs://{BUCKET}/stopped")
        expected = content(f"gs://{BUCKET}/whole")
        assert content(f"gs://{BUCKET}/flaky") == expected
        assert content(f"gs://{BUCKET}/stopped") == expected
        flaky.close()
        gcsfs.GCSFileSystem.clear_instance_cache()


def test_output_that_cannot_be_reached_names_the_path(tmp_path: Path, raw: Path) -> None:
    with pytest.raises(StorageUnavailable, match="cannot reach nosuch://bucket/out"):
        run_batch(raw, "nosuch://bucket/out")
    assert not os.listdir(tmp_path)
