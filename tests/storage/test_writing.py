"""Files are written whole or not at all, by one of many, and leave nothing beside them; keys are their owner's alone."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StorageUnavailable
from transforms.core import storage
from transforms.core.storage import writing


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_the_last_bytes_stand_there_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, versions: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("whole")
    for data in versions:
        storage.write_atomic(f"{folder}/deep/er/file", data)
        assert storage.read_bytes(f"{folder}/deep/er/file") == data
    assert [p.name for p in (folder / "deep" / "er").iterdir()] == ["file"]


STEPS = ["open", "fsync", "replace"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("private", [False, True])
def test_a_write_that_fails_leaves_the_old_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, private: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def failing(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, step, failing)
    write = storage.write_private if private else storage.write_atomic
    with pytest.raises(StorageUnavailable, match=rf"cannot write {path}: No space left on device"):
        write(str(path), b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_killed_writer_s_half_is_swept_and_no_data_goes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".writing-1-x.parquet.half").write_bytes(b"half")
    (tmp_path / "a" / "x.parquet").write_bytes(b"whole")
    (tmp_path / ".other").write_bytes(b"other")
    assert storage.sweep(str(tmp_path)) == 1
    assert storage.sweep(str(tmp_path)) == 0
    assert sorted(p.name for p in tmp_path.rglob("*")) == [".other", "a", "x.parquet"]
    assert storage.sweep("gs://bucket/anything") == 0
    assert storage.sweep(str(tmp_path / "none")) == 0


def test_a_half_lies_in_the_folder_for_halves_until_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader of the folder meanwhile sees no other file than whole ones."""
    real, seen = os.replace, list[list[str]]()

    def looking(source: str, target: str) -> None:
        seen.append(sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()))
        assert Path(source).parent == tmp_path / "halves"
        real(source, target)

    monkeypatch.setattr(writing.os, "replace", looking)
    storage.write_atomic(f"{tmp_path}/data/x", b"new", f"{tmp_path}/halves")
    assert [len([p for p in files if p.startswith("data/")]) for files in seen] == [0]
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["x"]
    assert not list((tmp_path / "halves").iterdir())


def test_where_the_folder_for_halves_is_on_another_disk_the_half_lies_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def across(source: str, target: str) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(writing.os, "replace", across)
    storage.write_atomic(f"{tmp_path}/data/x", b"new", f"{tmp_path}/halves")
    assert (tmp_path / "data" / "x").read_bytes() == b"new"
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["x"]


def test_a_shallow_sweep_looks_into_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for folder in (tmp_path, tmp_path / "a"):
        (folder / ".writing-1-x.half").touch()
    assert storage.sweep(str(tmp_path), deep=False) == 1
    assert [p.name for p in (tmp_path / "a").iterdir()] == [".writing-1-x.half"]


def test_one_of_many_creates(tmp_path: Path) -> None:
    won: list[int] = []
    barrier = threading.Barrier(8)

    def create(number: int) -> None:
        barrier.wait()
        if storage.create_exclusive(f"{tmp_path}/new/file", bytes([number])):
            won.append(number)

    threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert (tmp_path / "new" / "file").read_bytes() == bytes(won)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_private_files_are_their_owner_s_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert storage.write_private(f"{tmp_path}/new/keys/ring.json", b"key")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "new" / "keys" / "ring.json") == 0o600
    assert mode_of(tmp_path / "new" / "keys") == 0o700
    assert mode_of(tmp_path / "new") == 0o700


def test_a_private_file_is_not_replaced_unless_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert storage.write_private(str(path), b"first", replaces=False)
    assert not storage.write_private(str(path), b"second", replaces=False)
    assert path.read_bytes() == b"first"
    assert storage.write_private(str(path), b"third")
    assert path.read_bytes() == b"third"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_that_was_planted_is_not_written_through(tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.write_bytes(b"somebody's")
    link = tmp_path / "key"
    link.symlink_to(aim)
    assert not storage.write_private(str(link), b"key", replaces=False)
    assert aim.read_bytes() == b"somebody's"
    assert storage.write_private(str(link), b"key")
    assert aim.read_bytes() == b"somebody's"
    assert not link.is_symlink()


def test_a_mode_that_an_operator_set_is_handed_down(tmp_path: Path) -> None:
    path = tmp_path / "ring.json"
    path.write_bytes(b"old")
    path.chmod(0o640)
    storage.write_private(str(path), b"new", keeps_mode=True)
    assert (path.read_bytes(), mode_of(path)) == (b"new", 0o640)
    storage.write_private(str(path), b"newer")
    assert mode_of(path) == 0o600


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    storage.remove(f"{tmp_path}/none")
    storage.remove(f"{tmp_path}/no/folder/none")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageUnavailable, match="cannot remove"):
        storage.remove(f"{tmp_path}/folder")


def test_a_name_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    name = "n" * 255
    storage.write_atomic(f"{tmp_path}/{name}", b"x")
    assert (tmp_path / name).read_bytes() == b"x"


def test_two_attempts_at_one_file_never_meet_in_a_hidden_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a runner that tries a bundle again while the first try still writes, on two machines with equal process ids."""
    hidden: list[str] = []
    real = os.replace
    both = threading.Barrier(2)

    def replacing(old: str, new: str) -> None:
        hidden.append(old)
        both.wait(10)  # both are written before one of them is in place
        real(old, new)

    monkeypatch.setattr(writing.os, "replace", replacing)
    data = [bytes([n]) * 100_000 for n in range(2)]
    threads = [threading.Thread(target=storage.write_atomic, args=(f"{tmp_path}/file", one)) for one in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(hidden)) == 2
    assert (tmp_path / "file").read_bytes() in data
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_file_that_is_created_whole_is_never_seen_in_part(tmp_path: Path) -> None:
    path, data = tmp_path / "new" / "line", b"x" * 5_000_000
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            if path.exists():
                seen.append(path.stat().st_size)

    looker = threading.Thread(target=look)
    looker.start()
    assert storage.create_whole(str(path), data)
    while not seen:
        pass
    over.set()
    looker.join()
    assert {*seen} == {len(data)}
    assert not storage.create_whole(str(path), b"other")
    assert path.read_bytes() == data
    assert [p.name for p in path.parent.iterdir()] == ["line"]


def test_a_whole_file_is_written_again_where_its_hidden_one_was_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, swept = os.link, []

    def link(hidden: str, *args: object, **flags: object) -> None:
        if not swept:
            swept.append(hidden)
            os.remove(hidden)
        real(hidden, *args, **flags)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", link)
    assert storage.create_whole(str(tmp_path / "a"), b"whole")
    assert swept
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert not storage.create_whole(str(tmp_path / "a"), b"other")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
