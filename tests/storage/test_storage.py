"""Local paths, gs:// and s3:// are one to the job: a real GCS and a real S3 server process."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import batch
from schemas.errors import InvalidOptions, StorageUnavailable
from tests.conftest import run_batch, sample, write_lines
from tests.support.generated import generated_raw
from tests.support.servers import BUCKET, STORES, store_of
from transforms.core import storage

FRESH = ("snippets/", "quarantine/", "ledger/")
"""Datasets with what is sealed afresh, and with digests of such files."""


@pytest.fixture(scope="module", params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty bucket; its environment is set for this process and its children."""
    with store_of(request.param, tmp_path_factory.mktemp(request.param)) as url:
        yield url


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated_raw(tmp_path_factory, 1_200, seed=3, day="2026-03-31")


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
    assert remote == local  # the books, of which the ledger is made
    ours, theirs = every_file(str(tmp_path / "out")), every_file(f"{store}/equal")
    assert set(ours) == set(theirs)
    assert len(ours) > 20
    plain = [path for path in ours if not path.startswith(FRESH)]
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
        ["snippets", f"--datasets={output}", f"--private_key={store}/keys/private/prompts.json", "--purpose=a test"],
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
        run_batch(Path(__file__).parents[1] / "data" / "samples", f"{store.replace(BUCKET, 'no-such-bucket')}/out")


ODD_KEYS = ["x#1.ndjson", "x?y=1.ndjson", "x[1].ndjson", "50%25.ndjson", "a::b.ndjson", "a b.ndjson", "ü😀.ndjson", "x://y.ndjson",
            "a*b.ndjson", "x#123"]  # fmt: skip


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys_are_names_by_themselves_and_in_prefixes(store: str, key: str, tmp_path: Path) -> None:
    folder = f"{store}/odd-{ODD_KEYS.index(key)}"
    write_lines(tmp_path / "a", [sample()])
    storage.write_atomic(f"{folder}/{key}", (tmp_path / "a").read_bytes())
    for given_as in (f"{folder}/{key}", folder, f"{folder}/**"):
        files = storage.expand_inputs([given_as])
        assert [f.path for f in files] == [f"{folder}/{key}"]
        storage.check_unchanged(files)
        assert storage.read_start(files[0].path, 1) == b"{"
    if key in ("x[1].ndjson", "a::b.ndjson"):
        assert run_batch(f"{folder}/{key}", tmp_path / "out").landed == 1


def test_folder_markers_and_side_files_of_a_prefix_are_left_alone(store: str, tmp_path: Path) -> None:
    write_lines(tmp_path / "a", [sample()])
    for name in ("m/a.ndjson", "m/b//c.ndjson"):
        storage.write_atomic(f"{store}/{name}", (tmp_path / "a").read_bytes())
    fs = storage.file_system(store)
    for marker in ("m/", "m/empty/", "m_$folder$"):
        fs.pipe_file(f"{BUCKET}/{marker}", b"")
    for name in ("m/_SUCCESS", "m/_temporary/0/x.ndjson", "m/README.md", "m/manifest.json", "m/d_$folder$"):
        storage.write_atomic(f"{store}/{name}", b"rubbish")
    for given_as in (f"{store}/m", f"{store}/m/", f"{store}/m/**"):
        assert [f.path for f in storage.expand_inputs([given_as])] == [f"{store}/m/a.ndjson", f"{store}/m/b//c.ndjson"]
    assert [f.path for f in storage.list_tree(f"{store}/m")] == [f"{store}/m/a.ndjson", f"{store}/m/b//c.ndjson"]
    books = run_batch(f"{store}/m/", tmp_path / "out")
    assert (books.payloads, books.landed, books.duplicate) == (2, 1, 1)


def test_object_with_content_encoding_gzip_is_read_whole(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client unpacks it by itself and stops at the packed length, unless it is told not to."""
    lines = b"".join(json.dumps({**sample(), "n": n}).encode() + b"\n" for n in range(3000))
    packed = gzip.compress(lines)
    path = f"{store}/encoded/{len(packed)}.ndjson.gz"
    fs = storage.file_system(store)
    key = path.partition("://")[2]
    if store.startswith("gs"):
        fs.pipe_file(key, packed, fixed_key_metadata={"content_encoding": "gzip"})
        if fs.info(key).get("contentEncoding") != "gzip":
            fs.setxattrs(key, fixed_key_metadata={"content_encoding": "gzip"})
        assert fs.info(key)["contentEncoding"] == "gzip"
    else:
        fs.pipe_file(key, packed, ContentEncoding="gzip")
    (file,) = storage.expand_inputs([path])
    assert file.size_bytes == len(packed)
    with storage.open_read(path) as opened:
        assert opened.read() == packed
    monkeypatch.setattr(batch, "RANGE_BYTES", 1000)
    books = run_batch(f"{store}/encoded", tmp_path / "out")
    assert (books.payloads, books.quarantined.total()) == (3000, 0)


def test_output_inside_its_prefix_is_refused(store: str, tmp_path: Path) -> None:
    write_lines(tmp_path / "a", [sample()])
    storage.write_atomic(f"{store}/in-out/a.ndjson", (tmp_path / "a").read_bytes())
    for given_as, output in (("in-out", "in-out/out"), ("in-out/", "in-out"), ("in-out/**", "in-out/x/y")):
        with pytest.raises(InvalidOptions, match="lies in --input"):
            run_batch(f"{store}/{given_as}", f"{store}/{output}")
    assert run_batch(f"{store}/in-out", f"{store}/in-out2").landed == 1
