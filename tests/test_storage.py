"""Local paths, gs:// and s3:// are one to the job: a real GCS and a real S3 server process."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import generate
from schemas.errors import StorageUnavailable
from tests.conftest import KEY_RING, run_batch
from tests.servers import BUCKET, gcs_server, s3_server
from transforms.core import storage

STORES = {"gs": gcs_server, "s3": s3_server}
CIPHERTEXT = ("snippets/", "quarantine/")


@pytest.fixture(scope="module", params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty bucket; its environment is set for this process and its children."""
    import fsspec.config

    folder = tmp_path_factory.mktemp(request.param)
    with STORES[request.param](folder) as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(fsspec.config, "conf", {})
        fsspec.config.set_conf_env(fsspec.config.conf)
        yield f"{request.param}://{BUCKET}"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    generate.main([f"--output={folder}", "--events=1200", "--seed=3", "--date=2026-03-31"])
    return folder / "raw"


def every_file(folder: str) -> dict[str, str]:
    """Relative path -> digest of the content."""
    found = {}
    for dataset in storage.list_folders(folder):
        for day in storage.list_folders(storage.join(folder, dataset)):
            for name in storage.list_files(storage.join(folder, dataset, day)):
                path = f"{dataset}/{day}/{name}"
                found[path] = hashlib.sha256(storage.read_bytes(storage.join(folder, path))).hexdigest()
    return found


def test_outputs_are_equal_by_content(store: str, raw: Path, tmp_path: Path) -> None:
    local = run_batch(raw, tmp_path / "out")
    remote = run_batch(raw, f"{store}/equal")
    assert remote == local
    ours, theirs = every_file(str(tmp_path / "out")), every_file(f"{store}/equal")
    assert set(ours) == set(theirs)
    assert len(ours) > 20
    plain = [path for path in ours if not path.startswith(CIPHERTEXT)]
    assert {p: ours[p] for p in plain} == {p: theirs[p] for p in plain}


def test_the_same_run_again_replaces_and_half_of_it_lands_nothing(store: str, raw: Path) -> None:
    first = run_batch(raw, f"{store}/again")
    before = every_file(f"{store}/again")
    assert run_batch(raw, f"{store}/again") == first
    assert set(every_file(f"{store}/again")) == set(before)
    half = run_batch(sorted(str(p) for p in raw.iterdir())[:2], f"{store}/again")
    assert half.landed == 0


def test_inputs_from_the_store_land_the_same(store: str, raw: Path, tmp_path: Path) -> None:
    for path in raw.iterdir():
        storage.write_atomic(f"{store}/in/{path.name}", path.read_bytes())
    assert run_batch(f"{store}/in/*", tmp_path / "a") == run_batch(raw, tmp_path / "b")
    assert run_batch(f"{store}/in", tmp_path / "c") == run_batch(raw, tmp_path / "b")
    digest = storage.input_digest(storage.expand_inputs([f"{store}/in"]))
    assert digest == storage.input_digest(storage.expand_inputs([f"{store}/in/*"]))
    storage.write_atomic(f"{store}/in/{path.name}", path.read_bytes() + b"\n")
    assert digest != storage.input_digest(storage.expand_inputs([f"{store}/in"]))


def test_jobs_work_on_the_store(store: str, raw: Path) -> None:
    output = f"{store}/jobs"
    for command in (
        ["keys", "create", f"--output={store}/keys", "--start=2026-03", "--months=3"],
        ["batch", f"--input={raw}", f"--output={output}", f"--key_ring={store}/keys"],
        ["verify", f"--datasets={output}"],
        ["snippets", f"--datasets={output}", f"--private_key={store}/keys/private/prompts.json"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", f"pipelines.{command[0]}", *command[1:]],
            capture_output=True,
            text=True,
            check=False,
            env=dict(os.environ),
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_exclusive_creation_has_one_winner(store: str) -> None:
    path = f"{store}/claims/one"
    assert storage.create_exclusive(path, b"a") is True
    assert storage.create_exclusive(path, b"b") is False
    assert storage.read_bytes(path) == b"a"
    storage.remove(path)
    storage.remove(path)
    assert storage.create_exclusive(path, b"c") is True


def test_what_is_not_there_is_a_clear_error(store: str, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="no such file, folder or match"):
        run_batch(f"{store}/nothing/*.ndjson", tmp_path / "out")
    with pytest.raises(StorageUnavailable, match="cannot read"):
        storage.read_bytes(f"{store}/nothing")
    with pytest.raises(StorageUnavailable, match="cannot"):
        run_batch(Path(KEY_RING), f"{store.replace(BUCKET, 'no-such-bucket')}/out")
