"""Workers that share no files with the job: all in an object store works, and what is not there is noticed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import KEY_RING, all_rows, run_batch
from tests.support.generated import generated_raw
from tests.support.servers import BUCKET, store_of
from tests.support.worker_pools import ROOT, WorkerPool, job_service
from transforms.core import storage
from transforms.core.protecting.places.geo_file import default_geo_database

URL = f"gs://{BUCKET}"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="left out: a file system of its own needs root")


def hidden(*places: Path) -> list[str]:
    """A command that runs another one where these folders are empty, as on another machine."""
    mounts = " && ".join(f"mount -t tmpfs none {place}" for place in places)
    return ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$0" "$@"']


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated_raw(tmp_path_factory, 1_200, seed=8)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with job_service(tmp_path_factory.mktemp("jobs")) as flags:
        yield flags


def run(source: str, output: str, ring: str, *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.batch", f"--input={source}", f"--output={output}"]
    return subprocess.run(
        [*command, f"--key_ring={ring}", "--buckets=4", *flags], capture_output=True, text=True, check=False,
        timeout=150, env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )  # fmt: skip


@needs_root
def test_all_in_an_object_store_needs_no_file_of_this_machine(
    raw: Path, service: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers see neither the raw records nor the key ring, and leave no copy of it or of the database."""
    for name in ("pool", "tmp"):
        (tmp_path / name).mkdir()
    run_batch(raw, tmp_path / "local")
    with store_of("gs", tmp_path):
        for path in raw.iterdir():
            storage.write_atomic(f"{URL}/raw/{path.name}", path.read_bytes())
        ring = (Path(KEY_RING) / "ring.json").read_bytes()
        storage.write_atomic(f"{URL}/keys/ring.json", ring)
        storage.write_atomic(f"{URL}/geo/city.mmdb", Path(default_geo_database()).read_bytes())
        monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
        pool = WorkerPool(tmp_path / "pool", hidden(raw, Path(KEY_RING)))
        try:
            pool.start()
            flags = [f for f in pool.flags if f != "--shared_filesystem"]
            done = run(
                f"{URL}/raw/*", f"{URL}/out", f"{URL}/keys", f"--geo_database={URL}/geo/city.mmdb", *service, *flags
            )
        finally:
            pool.stop()
        assert done.returncode == 0, done.stderr
        assert "the books balance" in done.stdout
        for dataset in storage.list_folders(f"{URL}/out"):
            for day in storage.list_folders(f"{URL}/out/{dataset}"):
                for name in storage.list_files(f"{URL}/out/{dataset}/{day}"):
                    storage.write_atomic(
                        f"{tmp_path}/copy/{dataset}/{day}/{name}",
                        storage.read_bytes(f"{URL}/out/{dataset}/{day}/{name}"),
                    )
    ours, theirs = all_rows(tmp_path / "copy"), all_rows(tmp_path / "local")
    assert ours == theirs
    assert ours["displays"]
    secrets = [ring, json.loads(ring)["correlation"].encode()]
    left = [p for p in (tmp_path / "tmp").rglob("*") if p.is_file()]
    assert not [p for p in left if p.suffix == ".mmdb" or any(secret in p.read_bytes() for secret in secrets)]


@needs_root
def test_workers_that_do_not_see_the_output_are_noticed(raw: Path, service: list[str], tmp_path: Path) -> None:
    """As on machines for which --shared_filesystem is not true: what they would write, nobody here finds."""
    for name in ("place", "pool"):
        (tmp_path / name).mkdir()
    pool = WorkerPool(tmp_path / "pool", hidden(tmp_path / "place"))
    try:
        pool.start()
        done = run(str(raw), f"{tmp_path}/place/out", KEY_RING, *service, *pool.flags)
    finally:
        pool.stop()
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: no claim to {tmp_path}/place/out is seen from a worker")
    assert done.stderr.count("\n") == 1


def test_a_lost_file_in_an_output_that_workers_wrote_elsewhere_unbalances_the_books(
    raw: Path, service: list[str], tmp_path: Path
) -> None:
    from pipelines import verify
    from schemas.errors import PipelineError

    (tmp_path / "pool").mkdir()
    pool = WorkerPool(tmp_path / "pool")
    try:
        pool.start()
        done = run(str(raw), f"{tmp_path}/out", KEY_RING, *service, *pool.flags)
    finally:
        pool.stop()
    assert done.returncode == 0, done.stderr
    verify.main([f"--datasets={tmp_path}/out"])
    next((tmp_path / "out" / "ledger").glob("*/*.parquet")).unlink()
    with pytest.raises(PipelineError):
        verify.main([f"--datasets={tmp_path}/out"])
