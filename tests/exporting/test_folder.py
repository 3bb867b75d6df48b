"""The folder of an export: whoever is killed while it is made leaves one that the same command makes anew."""

from pathlib import Path

import pytest

from pipelines.exporting.folder import check_folder, private_folder
from schemas.errors import InvalidOptions


def made(folder: Path, checksum: str = "abc") -> list[str]:
    with private_folder("--to", str(folder), checksum) as inner:
        (Path(inner) / "README.md").write_text("whole")
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("left", [[], [".writing-1-_unfinished.half"], [".writing-1-_unfinished.half", "_unfinished"]])
def test_cut_off_before_its_mark_was_whole_or_after_it(tmp_path: Path, left: list[str]) -> None:
    folder = tmp_path / "export"
    folder.mkdir(mode=0o700)
    for name in left:
        (folder / name).write_text("abc\n")
    check_folder("--to", str(folder))
    assert made(folder) == ["README.md"]


@pytest.mark.parametrize("mine", ["notes.txt", ".hidden", ".writing"])
def test_what_is_somebody_s_own_is_never_removed(tmp_path: Path, mine: str) -> None:
    folder = tmp_path / "export"
    folder.mkdir(mode=0o700)
    (folder / mine).touch()
    with pytest.raises(InvalidOptions, match="is not empty"):
        made(folder)
    assert [p.name for p in folder.iterdir()] == [mine]
