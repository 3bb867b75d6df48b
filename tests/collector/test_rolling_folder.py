"""A folder into which files are rolled: by size, by age, after trouble; nothing acknowledged is lost or doubled."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.collector import growing_file
from pipelines.collector.records import Fate
from pipelines.collector.rolling_folder import RollingFolder
from schemas.errors import InvalidOptions, StorageUnavailable
from tests.support.collectors import stored
from tests.support.raw_records import hidden, records, visible
from tests.support.servers import small_disk


def test_files_are_rolled_by_size_and_by_age_and_not_when_empty(tmp_path: Path) -> None:
    sink = RollingFolder(str(tmp_path), roll_bytes=2000, roll_interval_s=0.2)
    assert set(sink.commit(records(1)).fates) == {Fate.DURABLE}
    assert not visible(tmp_path)
    sink.commit(records(30))
    assert len(visible(tmp_path)) == 1
    sink.commit(records(1))
    sink.tick()
    assert len(visible(tmp_path)) == 1
    time.sleep(0.25)
    sink.tick()
    assert len(visible(tmp_path)) == 2
    time.sleep(0.25)
    sink.tick()
    sink.close()
    assert len(visible(tmp_path)) == 2
    assert len(stored(tmp_path)) == 32


@pytest.mark.parametrize("broken", ["write", "fsync"])
def test_a_group_whose_write_or_sync_fails_is_not_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    sink = RollingFolder(str(tmp_path), roll_bytes=10**9, roll_interval_s=10**9)
    first = records(2)
    assert set(sink.commit(first).fates) == {Fate.DURABLE}
    real = {"write": os.write, "fsync": os.fsync}[broken]
    calls = []

    def failing(fd: int, *rest: Any) -> Any:
        calls.append(fd)
        if broken == "write" and len(calls) == 1:
            return real(fd, rest[0][:40])  # a part of it, as on a disk that is nearly full
        if len(calls) <= 2:
            raise OSError(5, "Input/output error")
        return real(fd, *rest)

    monkeypatch.setattr(growing_file.os, broken, failing)
    committed = sink.commit(records(3))
    assert set(committed.fates) == {Fate.UNAVAILABLE}
    assert committed.trouble == "Input/output error"
    monkeypatch.undo()
    second = records(2)
    assert set(sink.commit(second).fates) == {Fate.DURABLE}
    sink.tick()
    sink.close()
    assert [r["body"] for r in stored(tmp_path)] == [r.body for r in [*first, *second]]
    assert not hidden(tmp_path)


def test_a_full_disk_is_not_ready_until_there_is_space(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        sink = RollingFolder(str(disk / "to"), 10**9, 10**9)
        assert sink.is_reachable()
        (disk / "filler").write_bytes(bytes(3_500_000))
        assert sink.commit(records(1, 900_000)).trouble == "No space left on device"
        assert not sink.is_reachable()
        (disk / "filler").unlink()
        assert sink.is_reachable()
        assert set(sink.commit(records(1, 900_000)).fates) == {Fate.DURABLE}
        sink.close()
        assert len(stored(disk / "to")) == 1


@pytest.mark.parametrize("call", ["replace", "ftruncate", "fsync", "open"])
@pytest.mark.parametrize("failing", range(1, 9))
def test_an_error_at_any_call_loses_nothing_that_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, failing: int
) -> None:
    """The n-th call of one kind fails once; whatever it was, what was told to be durable is there once."""
    sink = RollingFolder(str(tmp_path), roll_bytes=700, roll_interval_s=10**9)
    real, calls = getattr(os, call), []

    def faulty(*args: Any, **more: Any) -> Any:
        calls.append(call)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        return real(*args, **more)

    monkeypatch.setattr(growing_file.os, call, faulty)
    durable = []
    for _ in range(5):
        group = records(2, 200)
        committed = sink.commit(group)
        assert len(set(committed.fates)) == 1
        assert (committed.trouble is None) == (committed.fates[0] is Fate.DURABLE)
        durable += [r.body for r in group] if committed.fates[0] is Fate.DURABLE else []
        sink.tick()
    sink.close()
    monkeypatch.undo()
    again = RollingFolder(str(tmp_path), 10**9, 10**9)
    again.close()
    assert sorted(r["body"] for r in stored(tmp_path)) == sorted(durable)
    assert not hidden(tmp_path)
    assert len(durable) >= 8


@settings(max_examples=20)
@given(st.lists(st.integers(1, 4), max_size=8), st.integers(200, 3000))
def test_every_record_is_in_one_file_in_the_order_of_commits(
    tmp_path_factory: Any, sizes: list[int], roll_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("to")
    sink = RollingFolder(str(folder), roll_bytes, 10**9)
    sent = []
    for size in sizes:
        group = records(size, 120)
        sent += [r.body for r in group]
        sink.commit(group)
        assert not [p for p in visible(folder) if p.stat().st_size > roll_bytes + 4000]
    sink.close()
    assert [r["body"] for r in stored(folder)] == sent
    assert sink.rolled_files == len(visible(folder))


def test_what_is_no_folder_for_us_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidOptions, match="a file; allowed is a folder"):
        RollingFolder(str(tmp_path / "file"), 1, 1)
    with pytest.raises((InvalidOptions, StorageUnavailable), match=r"^[^\n]*$"):
        RollingFolder(str(tmp_path / "file" / "below"), 1, 1)
