"""Which files an input is: names as they are, side files left alone, nothing of our own."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.options.input_files import check_apart
from schemas.errors import InvalidOptions, StorageUnavailable
from tests.conftest import DATA, KEY_RING, run_batch, sample, write_lines
from transforms.core import storage
from transforms.core.reading.folder_log import FolderLog
from transforms.core.reading.log import LogPosition
from transforms.core.storage.side_files import is_side_file

ODD_NAMES = [
    "events[1].ndjson", "a::b.ndjson", "gs:::b", "x#1.ndjson", "x?y.ndjson", "a b.ndjson", "50%25.ndjson", "a*b.ndjson",
    "line\nbreak.ndjson", "-n.ndjson", "ü\u2028😀.ndjson", "{a,b}.ndjson", "~root", "file:x", "local:x", "back\\slash",
    "[!x].ndjson", "a@b", "$HOME", "n" * 250, "simplecache::x",
]  # fmt: skip
LATIN1 = os.fsdecode(b"caf\xe9.ndjson")


def put(path: Path, number: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_lines(path, [{**sample(), "n": number}])


def names(found: list[storage.SourceFile], folder: Path) -> list[str]:
    return [os.path.relpath(f.path, folder) for f in found]


@pytest.mark.parametrize("name", [*ODD_NAMES, LATIN1])
def test_odd_name_is_a_name_by_itself_in_a_folder_and_in_a_glob(name: str, tmp_path: Path) -> None:
    put(tmp_path / "raw" / name)
    for given_as in (f"{tmp_path}/raw/{name}", f"{tmp_path}/raw", f"{tmp_path}/raw/*", f"{tmp_path}/r*/*"):
        files = storage.expand_inputs([given_as])
        assert names(files, tmp_path) == [f"raw/{name}"]
        assert len(storage.input_digest(files)) == 16
        assert storage.read_start(files[0].path, 1) == b"{"
        storage.check_unchanged(files)


@pytest.mark.parametrize("name", ["events[1].ndjson", "a::b.ndjson", "line\nbreak.ndjson", LATIN1])
def test_odd_name_through_the_job(name: str, tmp_path: Path) -> None:
    put(tmp_path / "raw" / name)
    assert run_batch(f"{tmp_path}/raw/{name}", tmp_path / "out").landed == 1
    assert run_batch(tmp_path / "raw", tmp_path / "out").landed == 1


def test_names_with_brackets_are_meant_before_globs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("events[1].ndjson", "events1.ndjson", "dir[2026]/a.ndjson", "dir2/b.ndjson"):
        put(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert names(storage.expand_inputs(["events[1].ndjson"]), tmp_path) == ["events[1].ndjson"]
    assert names(storage.expand_inputs(["dir[2026]"]), tmp_path) == ["dir[2026]/a.ndjson"]
    assert names(storage.expand_inputs(["dir[2026]/*"]), tmp_path) == ["dir[2026]/a.ndjson"]
    (tmp_path / "events[1].ndjson").unlink()
    assert names(storage.expand_inputs(["events[1].ndjson"]), tmp_path) == ["events1.ndjson"]
    monkeypatch.chdir(tmp_path / "dir[2026]")
    assert names(storage.expand_inputs(["*.ndjson"]), tmp_path) == ["dir[2026]/a.ndjson"]


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes")
def test_damage_and_errors_of_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    (tmp_path / LATIN1).write_bytes(b"\x1f\x8bjunk")
    books = run_batch(tmp_path / LATIN1, tmp_path / "out")
    assert dict(books.quarantined) == {"unreadable_container": 1}
    command = [b"-m", b"pipelines.batch", b"--input=" + os.fsencode(tmp_path / f"none-{LATIN1}")]
    command += [f"--output={tmp_path}/o".encode(), f"--key_ring={KEY_RING}".encode()]
    done = subprocess.run([sys.executable, *command], capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: --input ")
    assert done.stderr.count(b"\n") == 1


def test_watched_folder_takes_a_name_that_is_no_utf8_and_leaves_side_files(tmp_path: Path) -> None:
    for name in (LATIN1, "a.ndjson", "_SUCCESS", ".hidden", "b.ndjson.tmp", "_temporary/c.ndjson", "README.md"):
        put(tmp_path / name)
        os.utime(tmp_path / name, (time.time() - 60,) * 2)
    log = FolderLog(str(tmp_path), LogPosition({}, 0))
    blocks = [block for _, block in log.read(0.0, 300)]
    assert sum(len(block.lines) for block in blocks) == 2
    for part in log.position.positions:
        part.encode()


def test_case_side_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(DATA / "cases" / "side-files", tmp_path / "raw")
    books = run_batch(tmp_path / "raw", tmp_path / "out")
    assert (books.payloads, books.events, books.landed) == (1, 1, 1)
    assert "left alone: 4 side files (README.md, _SUCCESS, events.ndjson.tmp, …)" in capfd.readouterr().err
    assert run_batch(f"{tmp_path}/raw/*", tmp_path / "out2").events == 1


DATA_NAMES = [
    "events.ndjson", "events.jsonl.gz", "a.avro", "part-00000", "stream-1-2026-03-29-10-00-00-uuid", "FlumeData.16993",
    "events.ndjson.1", "events.log.2.gz", "dt=2026-03-29/a.ndjson", "_day=1/a.ndjson", "events.json", "manifesto.ndjson",
    "topic+0+0000000000.avro", "e#1.ndjson", "readme-events.ndjson", "events.txt", "capture.bin", "index-2026.ndjson",
]  # fmt: skip
SIDE_NAMES = [
    "_SUCCESS", ".DS_Store", ".a.ndjson.crc", "a.ndjson.crc", "a.tmp", "_temporary/0/a.ndjson", ".git/x", "README", "ReadMe.txt",
    "README.md", "manifest.json", "run-manifest.json", "MANIFEST", "LICENSE", "SHA256SUMS", "checksums.txt", "a.md5", "Thumbs.db",
    "desktop.ini", "a.ndjson~", "#a.ndjson#", ".a.ndjson.swp", "a.ndjson.inprogress", "a.ndjson._COPYING_", "_committed_1",
    "_delta_log/0.json", "m_$folder$", "m/", "._a.ndjson", "a.ndjson.part", "schema.avsc",
]  # fmt: skip


@pytest.mark.parametrize("name", DATA_NAMES)
def test_data_may_have_any_name(name: str) -> None:
    assert not is_side_file(name.split("/"))


@pytest.mark.parametrize("name", SIDE_NAMES)
def test_side_files(name: str) -> None:
    assert is_side_file(name.split("/"))


def test_side_file_that_is_named_is_read_and_nothing_but_side_files_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "_late.ndjson")
    assert names(storage.expand_inputs([f"{tmp_path}/_late.ndjson"]), tmp_path) == ["_late.ndjson"]
    for given_as in (f"{tmp_path}", f"{tmp_path}/*"):
        with pytest.raises(
            StorageUnavailable, match=r"nothing but 1 side files, which are left alone \(_late.ndjson\)"
        ):
            storage.expand_inputs([given_as])


def test_folders_as_disks_have_them(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "sub" / "a.ndjson")
    (tmp_path / "raw" / "loop").symlink_to(tmp_path / "raw")
    (tmp_path / "raw" / "again").symlink_to(tmp_path / "raw" / "sub")
    (tmp_path / "raw" / "gone.ndjson").symlink_to("nowhere")
    (tmp_path / "raw" / "self").symlink_to("self")
    put(tmp_path / "elsewhere.ndjson")
    (tmp_path / "raw" / "link.ndjson").symlink_to(tmp_path / "elsewhere.ndjson")
    os.mkfifo(tmp_path / "raw" / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "raw" / "s"))
        files = storage.expand_inputs([str(tmp_path / "raw")])
    assert names(files, tmp_path) == ["raw/again/a.ndjson", "raw/link.ndjson"]
    assert [os.path.basename(path) for path in files.left_alone] == ["pipe", "s"]
    with pytest.raises(StorageUnavailable, match="a pipe or a device; allowed are files"):
        storage.expand_inputs([f"{tmp_path}/raw/pipe"])


def test_folder_that_may_not_be_listed_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "raw" / "sub" / "a.ndjson")
    listing = os.scandir

    def refusing(path: str) -> object:
        if path.endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(StorageUnavailable, match=r"cannot read .*: Permission denied"):
        storage.expand_inputs([str(tmp_path / "raw")])


@pytest.mark.parametrize("where", ["raw/out", "raw", "raw/a/b/../out", "link/out"])
def test_output_inside_its_input_is_refused_each_time(where: str, tmp_path: Path) -> None:
    put(tmp_path / "raw" / "a.ndjson")
    (tmp_path / "link").symlink_to(tmp_path / "raw")
    for _ in range(2):
        for given_as in ("raw", "raw/", "raw/**"):
            with pytest.raises(
                InvalidOptions, match=r"^--output .* lies in --input .*; allowed is a folder beside it$"
            ):
                run_batch(f"{tmp_path}/{given_as}", f"{tmp_path}/{where}")
    assert sorted(p.name for p in (tmp_path / "raw").iterdir()) == ["a.ndjson"]


def test_output_beside_its_input_and_input_beside_the_datasets_are_fine(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "a.ndjson")
    assert run_batch(tmp_path / "raw", tmp_path / "raw2").landed == 1
    put(tmp_path / "out" / "raw" / "a.ndjson")
    assert run_batch(tmp_path / "out" / "raw", tmp_path / "out").landed == 1


def test_datasets_and_keys_are_no_input(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "a.ndjson")
    run_batch(tmp_path / "raw", tmp_path / "out")
    for given_as in ("out/displays", "out/*/*/*", "out/ledger"):
        with pytest.raises(InvalidOptions, match=r"lies in --(out|in)put"):
            run_batch(f"{tmp_path}/{given_as}", tmp_path / "out")
    for given_as in (KEY_RING, f"{KEY_RING}/ring.json", str(DATA), f"{KEY_RING}/private"):
        with pytest.raises(InvalidOptions, match="lies in --"):
            run_batch(given_as, tmp_path / "out3")
    with pytest.raises(InvalidOptions, match="lies in --input"):
        check_apart([str(tmp_path)], f"{tmp_path}/out", KEY_RING)


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_name_is_found_again(name: str) -> None:
    if name in (".", "..") or len(name.encode()) > 200:
        return
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(b"{}\n")
        (file,) = storage.expand_inputs([f"{folder}/{name}"])
        assert storage.read_bytes(file.path) == b"{}\n"
