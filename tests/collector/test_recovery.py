"""What a killed process left behind: whatever byte it was cut at, what was acknowledged is handed on."""

import os
from pathlib import Path

import pytest

from pipelines.collector import avro_blocks, recovery
from pipelines.collector.growing_file import GrowingFile
from pipelines.collector.recovery import recover
from tests.support.collectors import stored
from tests.support.raw_records import hidden, left_behind, records, visible


def test_whatever_byte_it_was_cut_at_whole_blocks_are_kept(tmp_path: Path) -> None:
    groups = [records(3), records(1), records(2)]
    data = left_behind(tmp_path, groups)
    header = len(avro_blocks.header(bytes(16)))
    seen = set()
    for size in range(len(data) + 1):
        path = tmp_path / ".requests-20260101T000000.000000Z-00000000.avro.half"
        path.write_bytes(data[:size])
        count = recover(str(tmp_path))
        assert not hidden(tmp_path)
        found = stored(tmp_path)
        assert [r["body"] for r in found] == [r.body for g in groups for r in g][: len(found)]
        assert len(found) == count
        assert (count > 0) == bool(visible(tmp_path))
        assert size >= header or not count
        seen.add(count)
        for one in visible(tmp_path):
            one.unlink()
    assert seen == {0, 3, 4, 6}


def test_a_file_that_is_damaged_before_its_end_is_handed_on_as_it_is(tmp_path: Path) -> None:
    data = bytearray(left_behind(tmp_path, [records(3), records(3), records(3)]))
    at = data.find(bytes(data[-16:]), len(avro_blocks.header(bytes(16))))
    data[at] ^= 0xFF
    (tmp_path / ".requests-x.avro.half").write_bytes(data)
    recover(str(tmp_path))
    (path,) = visible(tmp_path)
    assert path.read_bytes() == data


def test_a_file_that_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    file = GrowingFile(str(tmp_path))
    file.append(records(2))
    assert recover(str(tmp_path)) == 0
    assert hidden(tmp_path)
    file.append(records(1))
    file.publish()
    assert len(stored(tmp_path)) == 3


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("call", ["ftruncate", "fsync", "replace"])
@pytest.mark.parametrize("is_after", [False, True])
def test_a_recovery_that_is_killed_at_any_step_is_done_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, is_after: bool
) -> None:
    group = records(3)
    data = left_behind(tmp_path, [group, records(2)])
    (tmp_path / ".requests-x.avro.half").write_bytes(data[:-5])
    real = getattr(os, call)

    def killed(*args: object) -> None:
        if is_after:
            real(*args)
        raise Killed

    monkeypatch.setattr(recovery.os, call, killed)
    with pytest.raises(Killed):
        recover(str(tmp_path))
    monkeypatch.undo()
    recover(str(tmp_path))
    assert not hidden(tmp_path)
    assert [r["body"] for r in stored(tmp_path)] == [r.body for r in group]


def test_only_what_a_collector_wrote_is_touched(tmp_path: Path) -> None:
    names = [".requests-x.avro", "requests-x.avro.half", ".other.avro.half", "notes.txt", ".probe-1.tmp"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    assert recover(str(tmp_path)) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
