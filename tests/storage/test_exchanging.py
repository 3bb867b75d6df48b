"""Files take the place of others: at once where the system can, and always to the same end, wherever it was cut off."""

import contextlib
import errno
import os
import threading
from pathlib import Path

import pytest

from schemas.errors import StorageUnavailable
from transforms.core.storage import exchanging
from transforms.core.storage.exchanging import bring_back, is_in_place, put_file, put_in_place_of, remove_folder

OLD, NEW = ["a", "b", "c"], ["n", "m"]


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with old files and one with new ones."""
    folder, staging = tmp_path / "folder", tmp_path / "writing" / "staging"
    fill(folder, OLD)
    fill(staging, NEW)
    return staging, folder


def fill(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(name)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def swap(places: tuple[Path, Path]) -> None:
    put_in_place_of(str(places[0]), NEW, str(places[1]), OLD)


def without_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanging, "_at_once", lambda *_: False)


@pytest.mark.parametrize("can_exchange", [True, False])
def test_new_files_are_there_and_old_ones_gone(
    places: tuple[Path, Path], can_exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        without_exchange(monkeypatch)
    staging, folder = places
    folder.chmod(0o750)
    swap(places)
    assert names_in(folder) == {*NEW}
    assert folder.stat().st_mode & 0o777 == 0o750
    assert names_in(staging.parent) == set()
    swap(places)  # again, as after a kill
    assert names_in(folder) == {*NEW}


def test_a_reader_that_looks_all_the_time_sees_the_ones_or_the_others(places: tuple[Path, Path]) -> None:
    staging, folder = places
    if not exchanging._at_once(str(staging), str(folder)):
        pytest.skip("this file system has no exchange")
    exchanging._at_once(str(staging), str(folder))
    seen, is_over = set(), threading.Event()

    def look() -> None:
        while not is_over.is_set():
            seen.add(frozenset(os.listdir(folder)))

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(2000):
        exchanging._at_once(str(staging), str(folder))
    is_over.set()
    thread.join()
    assert seen == {frozenset(OLD), frozenset(NEW)}


def test_what_is_not_ours_stays_and_new_files_come_one_by_one(places: tuple[Path, Path]) -> None:
    (places[1] / "notes.txt").write_text("mine")
    swap(places)
    assert names_in(places[1]) == {*NEW, "notes.txt"}
    assert not places[0].exists()


def test_where_the_folders_lie_on_two_disks_files_come_one_by_one(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_disk(*_: str) -> bool:
        raise OSError(errno.EXDEV, "other disk")

    monkeypatch.setattr(exchanging, "_at_once", other_disk)
    monkeypatch.setattr(exchanging, "renamed", lambda *_: False)
    swap(places)
    assert names_in(places[1]) == {*NEW}
    assert (places[1] / "n").read_text() == "n"


def test_a_refusal_of_the_storage_is_one_of_ours_and_changes_nothing(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: str) -> bool:
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(exchanging, "_at_once", refused)
    with pytest.raises(StorageUnavailable, match="cannot exchange"):
        swap(places)
    assert names_in(places[1]) == {*OLD}


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("can_exchange", [True, False])
def test_cut_off_anywhere_the_same_call_ends_it(
    places: tuple[Path, Path], at: int, can_exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging, folder = places
    if not can_exchange:
        without_exchange(monkeypatch)
    turns = iter(range(1, 99))

    def cut_off(real: object) -> object:
        def do(*args: object, **flags: object) -> object:
            if next(turns) == at:
                raise KeyboardInterrupt
            return real(*args, **flags)  # type: ignore[operator]

        return do

    with monkeypatch.context() as patched:
        for name in ("rename", "replace", "remove", "unlink", "fsync", "rmdir"):
            patched.setattr(os, name, cut_off(getattr(os, name)))
        with contextlib.suppress(KeyboardInterrupt):
            swap(places)
    bring_back(str(staging), str(folder))
    if not is_in_place(str(folder), NEW):
        assert names_in(folder) == {*OLD}
        remove_folder(str(staging))
        fill(staging, NEW)
    swap(places)
    assert names_in(folder) == {*NEW}
    assert names_in(staging.parent) == set()


def test_a_file_is_moved_into_a_folder_that_is_made(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("x")
    put_file(str(tmp_path / "made"), str(tmp_path / "new" / "folder" / "name"))
    assert (tmp_path / "new" / "folder" / "name").read_text() == "x"
    assert not (tmp_path / "made").exists()
