"""The folder log: each whole file once, in one window, whatever vanishes or fails meanwhile."""

import gzip
import os
import time
from pathlib import Path

import pytest

from schemas.errors import StorageUnavailable
from transforms.core import blocks, storage
from transforms.core.reading import folder_log
from transforms.core.reading.folder_log import FolderLog
from transforms.core.reading.log import NOTHING_READ, LogPosition, LogSource, ReadBefore
from transforms.core.reading.open_log import open_log

START = LogPosition({}, 0)


def settled(path: Path, data: bytes = b"{}\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - 10, time.time() - 10))
    return path


def names(log: FolderLog, interval_s: int = 60) -> list[str]:
    """The files that one read takes, by their names."""
    found = log.read(0.0, interval_s)
    return [t.part.rpartition("/")[2].partition("@")[0] for _, block in found for t in block.taken]


def test_a_file_that_is_taken_again_after_a_restart_is_so_only_if_it_changed(tmp_path: Path) -> None:
    settled(tmp_path / "a.ndjson")
    log = FolderLog(str(tmp_path), START)
    assert names(log) == ["a.ndjson"]
    assert names(FolderLog(str(tmp_path), log.position)) == []
    settled(tmp_path / "a.ndjson", b"{}\n{}\n")
    os.utime(tmp_path / "a.ndjson", (time.time() - 5, time.time() - 5))
    assert names(FolderLog(str(tmp_path), log.position)) == ["a.ndjson"]


def test_the_watermark_never_falls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = FolderLog(str(tmp_path), START)
    names(log)
    reached_ms = log.position.watermark_ms
    monkeypatch.setattr(time, "time", lambda: reached_ms / 1000 - 100)
    settled(tmp_path / "a.ndjson")
    os.utime(tmp_path / "a.ndjson", (0, 0))
    assert [time_ms for time_ms, _ in log.read(0.0, 60)] == [reached_ms]
    assert log.position.watermark_ms == reached_ms


def test_a_read_stops_after_so_many_bytes_and_goes_on_with_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_log, "_READ_BYTES", 5)
    for name in "abcde":
        settled(tmp_path / f"{name}.ndjson")  # 3 bytes each
    log = FolderLog(str(tmp_path), START)
    reads = [names(log) for _ in range(4)]
    assert reads == [["a.ndjson", "b.ndjson"], ["c.ndjson", "d.ndjson"], ["e.ndjson"], []]


def test_a_file_is_taken_when_its_last_block_was_given_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    settled(tmp_path / "a.ndjson.gz", gzip.compress(b'{"n": 1}\n' * 200_000))
    log = FolderLog(str(tmp_path), START)
    given = list(log.read(0.0, 60))
    assert len(given) > 2
    assert [bool(block.taken) for _, block in given] == [False] * (len(given) - 1) + [True]
    interrupted = FolderLog(str(tmp_path), START)
    reading = interrupted.read(0.0, 60)
    next(reading)
    assert interrupted.position.positions == {}, "a reader that stops here reads the file again"


def test_a_file_that_vanishes_while_it_is_read_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of it may have been given out already; nobody can read the rest."""
    settled(tmp_path / "a.ndjson")

    def failing(*_: object) -> object:
        yield blocks.Block(lines=[b"{}"])
        yield blocks.Block(lines=[b"{}"])
        raise StorageUnavailable("cannot read a.ndjson: OSError")

    monkeypatch.setattr(folder_log, "read_blocks", failing)
    log = FolderLog(str(tmp_path), START)
    with pytest.raises(StorageUnavailable):
        list(log.read(0.0, 60))
    assert log.position.positions == {}


def test_a_file_that_is_there_and_cannot_be_read_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = settled(tmp_path / "a.ndjson")

    def refused(_: str) -> object:
        raise StorageUnavailable(f"cannot read {path}: Permission denied")

    monkeypatch.setattr(storage, "open_read", refused)
    with pytest.raises(StorageUnavailable, match="Permission denied"):
        names(FolderLog(str(tmp_path), START))


def test_what_whole_windows_hold_is_taken_whatever_an_older_checkpoint_says(tmp_path: Path) -> None:
    settled(tmp_path / "a.ndjson")
    settled(tmp_path / "b.ndjson")
    source = LogSource(str(tmp_path))
    log = open_log(source, START, NOTHING_READ, 0, 1)
    list(log.read(0.0, 60))
    part_of_a = min(log.position.positions)
    before = ReadBefore(positions={part_of_a: 3})
    assert names(open_log(source, START, before, 0, 1)) == ["b.ndjson"]  # type: ignore[arg-type]


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    log = FolderLog(str(tmp_path / "later"), START)
    assert names(log) == []
    settled(tmp_path / "later" / "deep" / "a.ndjson")
    assert names(log) == ["a.ndjson"]
