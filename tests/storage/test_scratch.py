"""Files that one run needs: private, whole, and gone afterwards."""

import errno
import os
from pathlib import Path

import pytest

from schemas.errors import StorageUnavailable
from transforms.core.storage.scratch import ScratchFile, ScratchReader, scratch_folder


def test_what_is_appended_is_read_at_its_offset(tmp_path: Path) -> None:
    file = ScratchFile(str(tmp_path))
    parts = [b"one", b"", b"three" * 1000]
    offsets = [file.append(part) for part in parts]
    reader = ScratchReader(str(tmp_path))
    assert [reader.read(file.name, at, len(part)) for at, part in zip(offsets, parts, strict=True)] == parts
    file.close()
    reader.close()


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    with scratch_folder(str(tmp_path / "new" / "scratch")) as folder:
        file = ScratchFile(folder)
        assert os.stat(folder).st_mode & 0o777 == 0o700
        assert os.stat(Path(folder) / file.name).st_mode & 0o777 == 0o600
        file.close()
    assert not Path(folder).exists()


def test_it_is_empty_whatever_a_killed_run_has_left(tmp_path: Path) -> None:
    left = tmp_path / "scratch" / "within"
    left.mkdir(parents=True)
    (left / "file").write_bytes(b"old")
    with scratch_folder(str(tmp_path / "scratch")) as folder:
        assert not list(Path(folder).iterdir())


def test_it_goes_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), scratch_folder(str(tmp_path / "scratch")) as folder:
        ScratchFile(folder).close()
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_a_planted_link_is_refused_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"data")
    (tmp_path / "scratch").symlink_to(tmp_path / "precious")
    with pytest.raises(StorageUnavailable, match="no folder of this user's"), scratch_folder(str(tmp_path / "scratch")):
        pass
    assert (tmp_path / "precious" / "file").read_bytes() == b"data"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(StorageUnavailable, match=r"cannot write .*/file/scratch"),
        scratch_folder(f"{tmp_path}/file/scratch"),
    ):
        pass


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ScratchFile(str(tmp_path))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageUnavailable, match=f"cannot write {tmp_path}.*: No space left on device"):
        file.append(b"x")


def test_a_write_that_takes_only_a_part_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, write = ScratchFile(str(tmp_path)), os.write
    monkeypatch.setattr(os, "write", lambda number, data: write(number, data[:3]))
    assert (file.append(b"abcdefgh"), file.append(b"ij")) == (0, 8)
    assert (tmp_path / file.name).read_bytes() == b"abcdefghij"


def test_what_is_gone_or_cut_is_told(tmp_path: Path) -> None:
    file, reader = ScratchFile(str(tmp_path)), ScratchReader(str(tmp_path))
    file.append(b"abc")
    with pytest.raises(StorageUnavailable, match="it has 2 of 5 bytes at 1"):
        reader.read(file.name, 1, 5)
    with pytest.raises(StorageUnavailable, match=r"cannot read .*/other: No such file"):
        reader.read("other", 0, 1)
