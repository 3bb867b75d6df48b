"""Two readers at once both get a line, on a disk and in object stores; what cannot be written stops the reading."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import StorageUnavailable
from tests.audit.test_reading import reading
from tests.support.servers import store_of
from transforms.core import storage
from transforms.core.audit.chain import check
from transforms.core.audit.trail import NO_LINE, append, head_of, numbers, path_of

READER = """
import sys
from tests.audit.test_reading import reading
from transforms.core.audit.trail import append
for number in range(int(sys.argv[2])):
    append(sys.argv[1], reading(who=f"{sys.argv[3]}-{number}"))
"""


def read_at_once(trail: str, readers: int, lines: int) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", READER, trail, str(lines), f"reader{n}"], env=dict(os.environ))
        for n in range(readers)
    ]
    assert [process.wait(120) for process in started] == [0] * readers
    found = check(trail)
    assert found.problems == []
    assert sorted(line.who for line in found.lines) == sorted(
        f"reader{n}-{m}" for n in range(readers) for m in range(lines)
    )
    assert sorted(numbers(trail)) == [*range(1, readers * lines + 1)]


def test_a_line_follows_the_one_before(tmp_path: Path) -> None:
    trail = str(tmp_path / "out" / "_audit")
    assert head_of(trail) == NO_LINE
    first = append(trail, reading())
    second = append(trail, reading())
    assert (first.number, second.number) == (1, 2)
    assert head_of(trail) == second != first
    assert [line.previous for line in check(trail).lines] == ["", first.digest]
    assert len(list((tmp_path / "out" / "_audit").iterdir())) == 2, "nothing else is left there"


def test_readers_at_once_each_get_their_lines(tmp_path: Path) -> None:
    read_at_once(str(tmp_path / "trail"), readers=4, lines=25)


@pytest.mark.parametrize("store", ["gs", "s3"])
def test_readers_at_once_in_an_object_store(tmp_path: Path, store: str) -> None:
    with store_of(store, tmp_path) as bucket:
        read_at_once(f"{bucket}/trail", readers=3, lines=5)


def test_a_number_that_another_one_took_is_not_taken_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other reader's line comes between looking and writing."""
    trail, create = str(tmp_path), storage.create_whole

    def after_another(path: str, data: bytes) -> bool:
        monkeypatch.setattr(storage, "create_whole", create)
        append(trail, reading(who="bob"))
        return create(path, data)

    monkeypatch.setattr(storage, "create_whole", after_another)
    assert append(trail, reading()).number == 2
    assert [line.who for line in check(trail).lines] == ["bob", "alice"]
    assert check(trail).problems == []


def test_a_line_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageUnavailable, match="cannot"):
        append(str(tmp_path / "file" / "trail"), reading())


def test_readers_that_never_get_a_number_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "create_whole", lambda *_: False)
    with pytest.raises(StorageUnavailable, match="other readers wrote 1000 lines"):
        append(str(tmp_path), reading())


def test_files_that_are_no_lines_are_left_alone(tmp_path: Path) -> None:
    for name in ("README", "12.json", ".writing-1-000000000001.json.half", "000000000009.json.bak"):
        (tmp_path / name).write_text("x")
    assert append(str(tmp_path), reading()).number == 1
    assert path_of(str(tmp_path), 1).endswith("/000000000001.json")
