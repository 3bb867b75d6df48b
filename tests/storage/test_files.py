"""Files and folders as they lie there: what is listed, what is read, and what a strange entry does."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StorageUnavailable
from transforms.core import storage

ENTRIES = st.dictionaries(
    st.text("ab._-# ü", min_size=1, max_size=5).filter(lambda name: name.strip(". ") != ""), st.booleans(), max_size=8
)


@settings(max_examples=50)
@given(ENTRIES)
def test_listings_are_sorted_and_hidden_files_are_none(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, bool]
) -> None:
    folder = tmp_path_factory.mktemp("listed")
    for name, is_folder in entries.items():
        (folder / name).mkdir() if is_folder else (folder / name).write_bytes(b"")
    files = sorted(n for n, is_folder in entries.items() if not is_folder and not n.startswith((".", "_")))
    assert storage.list_files(str(folder)) == files
    assert storage.list_folders(str(folder)) == sorted(n for n, is_folder in entries.items() if is_folder)


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert storage.list_files(f"{tmp_path}/none") == []
    assert storage.list_folders(f"{tmp_path}/none") == []
    assert not storage.exists(f"{tmp_path}/none")


@given(st.binary(max_size=64), st.integers(0, 80))
def test_the_first_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, size: int) -> None:
    path = tmp_path_factory.mktemp("start") / "file"
    path.write_bytes(data)
    assert storage.read_start(str(path), size) == data[:size]
    assert storage.read_bytes(str(path)) == data


def test_a_pipe_makes_nobody_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with storage.opened_local(f"{tmp_path}/pipe") as file:
        assert file.read() in (b"", None)


@pytest.mark.parametrize("read", [storage.read_bytes, lambda p: storage.read_start(p, 1), storage.open_read])
def test_what_cannot_be_read_is_one_line_with_its_path(tmp_path: Path, read: object) -> None:
    with pytest.raises(StorageUnavailable, match=rf"cannot read {tmp_path}/none: No such file") as told:
        read(f"{tmp_path}/none")  # type: ignore[operator]
    assert "\n" not in str(told.value)
    with pytest.raises(StorageUnavailable, match="Is a directory"):
        read(str(tmp_path))  # type: ignore[operator]


def test_a_folder_can_hold_files_and_a_file_cannot(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert storage.can_hold_files(str(tmp_path))
    assert not storage.can_hold_files(f"{tmp_path}/file")
    assert not storage.can_hold_files(f"{tmp_path}/none")
