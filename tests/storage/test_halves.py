"""Half-written files: whoever is killed leaves one that the next sweep takes, wherever it lies; the living keep theirs."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from transforms.core import storage
from transforms.core.storage import exchanging, halves, writing

_KILLED = """
import errno, os, signal, sys
from transforms.core import storage
from transforms.core.storage import exchanging, writing

def across(source, target):
    if os.path.dirname(source) != os.path.dirname(target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")
    print("half", flush=True)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
    real(source, target)

real, os.replace = os.replace, across
folder = sys.argv[1]
if sys.argv[3] == "write":
    storage.write_atomic(f"{folder}/data/day/x.parquet", b"rows", f"{folder}/halves")
elif sys.argv[3] == "put":
    exchanging.put_file(f"{folder}/local", f"{folder}/data/day/x.parquet")
else:
    storage.write_private(f"{folder}/data/day/x.parquet", b"code")
"""


def begin(folder: Path, end: str, how: str) -> subprocess.Popen[str]:
    """A process that stands before the rename of its half: killed there, or waiting for its input to end."""
    (folder / "local").write_bytes(b"rows")
    command = [sys.executable, "-c", _KILLED, str(folder), end, how]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "half\n"
    if end == "killed":
        assert child.wait(10) == -signal.SIGKILL
        child.communicate()
    return child


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != "local")


def test_a_killed_writer_s_half_on_another_disk_is_found_by_its_note(tmp_path: Path) -> None:
    begin(tmp_path, "killed", "write")
    left = files(tmp_path)
    assert [path.partition("/")[0] for path in left] == ["data", "halves"]
    assert all(storage.is_half(path.rpartition("/")[2]) for path in left)
    assert storage.sweep(str(tmp_path / "halves")) == 2
    assert files(tmp_path) == []


def test_a_living_writer_s_half_stays_and_becomes_whole(tmp_path: Path) -> None:
    child = begin(tmp_path, "waiting", "write")
    assert storage.sweep(str(tmp_path)) == 0
    assert len(files(tmp_path)) == 2
    child.communicate("")
    assert child.returncode == 0
    assert files(tmp_path) == ["data/day/x.parquet"]
    assert (tmp_path / "data/day/x.parquet").read_bytes() == b"rows"


def test_a_file_that_was_being_copied_to_another_disk_is_put_by_the_same_call(tmp_path: Path) -> None:
    """As a compaction does that was killed: it is run again, and nobody else may write until then."""
    begin(tmp_path, "killed", "put")
    (left,) = files(tmp_path)
    assert storage.is_half(left.rpartition("/")[2]), "so that verify names it as one of ours"
    staging = tmp_path / "staging"
    staging.mkdir()
    (tmp_path / "local").rename(staging / "x.parquet")
    exchanging.put_in_place_of(str(staging), ["x.parquet"], str(tmp_path / "data" / "day"), [])
    assert files(tmp_path) == ["data/day/x.parquet"]


@pytest.mark.parametrize("end", ["killed", "waiting"])
def test_code_of_a_killed_reader_goes_when_the_file_is_written_again(tmp_path: Path, end: str) -> None:
    child = begin(tmp_path, end, "private")
    path = tmp_path / "data" / "day" / "x.parquet"
    (path.parent / ".writing-1-y.parquet.half").write_bytes(b"of another file")
    storage.write_private(str(path), b"again")
    left = [name for name in files(tmp_path / "data" / "day") if name.endswith("x.parquet.half")]
    assert len(left) == (end == "waiting")
    child.communicate("")
    assert path.read_bytes() == (b"again" if end == "killed" else b"code")
    assert files(tmp_path / "data" / "day") == [".writing-1-y.parquet.half", "x.parquet"]


@pytest.mark.parametrize("text", [b"", b"/etc", b"../outside", b"data/../../outside", b"a\0b", b"not/there", b"\xff"])
def test_a_note_that_leads_elsewhere_is_removed_and_not_followed(tmp_path: Path, text: bytes) -> None:
    outside = tmp_path / "outside" / ".writing-1-x.half"
    outside.parent.mkdir()
    outside.touch()
    folder = tmp_path / "output" / "halves"
    folder.mkdir(parents=True)
    (folder / f".writing-1-{halves._ELSEWHERE}.half").write_bytes(text)
    assert storage.sweep(str(folder)) == 1
    assert outside.exists()
    assert not list(folder.iterdir())


@pytest.mark.parametrize("plant", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo])
def test_what_somebody_planted_makes_nobody_wait(tmp_path: Path, plant: Callable[[Path], None]) -> None:
    plant(tmp_path / f".writing-1-{halves._ELSEWHERE}.half")
    assert storage.sweep(str(tmp_path)) == 1
    assert not list(tmp_path.iterdir())


def test_a_disk_without_locks_works_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(halves.fcntl, "flock", no_locks)
    (tmp_path / ".writing-1-x.half").touch()
    assert storage.sweep(str(tmp_path)) == 1
    writing.write_atomic(f"{tmp_path}/x", b"whole")
    assert (tmp_path / "x").read_bytes() == b"whole"


def test_a_killed_reader_s_line_of_the_trail_is_swept_by_the_next_reader(tmp_path: Path) -> None:
    """Also where the trail lies elsewhere than in an output, so that no job sweeps it."""
    from transforms.core.audit.reading import Reading
    from transforms.core.audit.trail import append

    (tmp_path / ".writing-1-000000000001.json.half").touch()
    append(str(tmp_path), Reading("alice", "prompts", "read", "snippets", (), 1, "test"))
    assert files(tmp_path) == ["000000000001.json"]
