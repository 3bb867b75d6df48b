"""One file while it grows: whole after each group, hidden until it is published, locked by one process."""

import fcntl
import io
import os
from pathlib import Path
from typing import Any

import fastavro
import pytest

from pipelines.collector import growing_file
from pipelines.collector.growing_file import GrowingFile
from tests.support.collectors import stored
from tests.support.raw_records import hidden, records, visible


def test_a_lock_is_not_taken_twice(tmp_path: Path) -> None:
    file = GrowingFile(str(tmp_path))
    (path,) = hidden(tmp_path)
    with path.open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.discard()


def test_it_is_whole_after_each_group_and_seen_when_it_is_published(tmp_path: Path) -> None:
    file = GrowingFile(str(tmp_path))
    bodies = []
    for count in (1, 3, 2):
        group = records(count)
        file.append(group)
        bodies += [r.body for r in group]
        (path,) = hidden(tmp_path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_size == file.size_bytes
        assert [r["body"] for r in fastavro.reader(io.BytesIO(path.read_bytes()))] == bodies
        assert not visible(tmp_path)
    file.publish()
    assert not hidden(tmp_path)
    assert [r["body"] for r in stored(tmp_path)] == bodies


@pytest.mark.parametrize("written", [*range(0, 350, 11), 10**6])
def test_a_write_that_is_torn_at_any_byte_leaves_the_groups_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    file = GrowingFile(str(tmp_path))
    first, torn, last = records(2), records(3), records(1)
    file.append(first)
    real, left = os.write, [written]

    def tearing(fd: int, data: Any) -> int:
        if left[0] <= 0:
            raise OSError(28, "No space left on device")
        count = real(fd, bytes(data)[: left[0]])
        left[0] -= count
        return count

    monkeypatch.setattr(growing_file.os, "write", tearing)
    bodies = [r.body for r in first]
    if written < 10**6:
        with pytest.raises(OSError, match="No space"):
            file.append(torn)
    else:
        file.append(torn)
        bodies += [r.body for r in torn]
    monkeypatch.undo()
    file.publish()
    assert [r["body"] for r in stored(tmp_path)] == bodies
    del last


def test_one_that_holds_nothing_is_not_published(tmp_path: Path) -> None:
    GrowingFile(str(tmp_path)).publish()
    assert list(tmp_path.iterdir()) == []


def test_a_publication_that_failed_may_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = GrowingFile(str(tmp_path))
    group = records(2)
    file.append(group)
    calls: list[str] = []

    def failing(folder: str) -> None:
        calls.append(folder)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(growing_file, "sync_folder", failing)
    with pytest.raises(OSError, match="Input"):
        file.publish()
    monkeypatch.undo()
    file.publish()
    assert [r["body"] for r in stored(tmp_path)] == [r.body for r in group]


def test_a_group_that_was_written_and_not_synced_is_cut_off_at_publication(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client was told to send it again: it would be stored twice."""
    file = GrowingFile(str(tmp_path))
    first = records(2)
    file.append(first)

    def failing(fd: int) -> None:
        raise OSError(5, f"Input/output error of {type(fd).__name__}")

    monkeypatch.setattr(growing_file.os, "fsync", failing)
    with pytest.raises(OSError, match="Input"):
        file.append(records(3))
    monkeypatch.undo()
    file.publish()
    assert [r["body"] for r in stored(tmp_path)] == [r.body for r in first]
