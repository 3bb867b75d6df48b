"""Everything below a folder, as it lies there."""

import hashlib
import os
from pathlib import Path

import pytest

from schemas.errors import StorageRefused, StorageUnavailable
from transforms.core.storage import Entry, file_digest, whole_tree


def test_links_and_pipes_are_told_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_text("x")
    (tmp_path / "out" / "a" / ".hidden").write_text("abc")
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / "loop").symlink_to(tmp_path / "out")
    os.mkfifo(tmp_path / "out" / "pipe")
    found = {entry.path: entry for entry in whole_tree(str(tmp_path / "out"))}
    assert found["a/.hidden"] == Entry("a/.hidden", "file", 3)
    assert {path: entry.kind for path, entry in found.items() if path != "a/.hidden"} == {
        "link": "link", "loop": "link", "pipe": "other",
    }  # fmt: skip
    for name in ("link", "loop", "pipe"):
        with pytest.raises((StorageRefused, StorageUnavailable)):
            file_digest(str(tmp_path / "out" / name))
    assert file_digest(str(tmp_path / "out" / "a" / ".hidden")) == hashlib.sha256(b"abc").hexdigest()
    assert [*whole_tree(str(tmp_path / "none"))] == []
