"""Local folders as operators have them: each file once, whatever links, pipes and patterns stand there."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.core.storage.local_tree import as_pattern, files_below, info_of, matches

NAME = st.text("ab[]*?!-{} .#", min_size=1, max_size=6).filter(lambda name: name.strip(". ") != "")


@settings(max_examples=50)
@given(st.sets(st.lists(NAME, min_size=1, max_size=3).map("/".join), max_size=8))
def test_every_file_below_is_found_once(tmp_path_factory: pytest.TempPathFactory, paths: set[str]) -> None:
    root = tmp_path_factory.mktemp("tree")
    made = set()
    for path in sorted(paths):
        full = root / path
        if any(p.is_file() for p in [full, *full.parents]) or full.is_dir():
            continue
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(path.encode())
        made.add(str(full))
    found = list(files_below(str(root)))
    assert [f["name"] for f in found] == list(dict.fromkeys(f["name"] for f in found))
    assert {f["name"] for f in found} == made
    assert all(f["size"] == os.path.getsize(f["name"]) and f["type"] == "file" for f in found)
    for name in made:  # a name with letters of patterns in it stands for itself
        assert name in {f["name"] for f in matches(as_pattern(name))}


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert [f["name"] for f in files_below(str(tmp_path))] == [f"{tmp_path}/a/file"]
    assert info_of(f"{tmp_path}/self") is None
    assert info_of(f"{tmp_path}/gone") is None
    assert info_of(f"{tmp_path}/a/file/below") is None


def test_a_folder_that_is_reached_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    (tmp_path / "z").symlink_to(tmp_path / "a")
    assert len(list(files_below(str(tmp_path)))) == 1


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert sorted((Path(f["name"]).name, f["size"]) for f in files_below(str(tmp_path))) == [("file", 2), ("link", 2)]


def test_pipes_are_told_and_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert [f["type"] for f in files_below(str(tmp_path))] == ["other"]


def test_patterns_find_hidden_names_and_go_through_folders(tmp_path: Path) -> None:
    for name in ("a/b/c.ndjson", "a/.d.ndjson", "e.ndjson", "e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    names = [os.path.relpath(f["name"], tmp_path) for f in matches(as_pattern(f"{tmp_path}/**/*.ndjson"))]
    assert names == ["a/.d.ndjson", "a/b/c.ndjson", "e.ndjson"]
    assert list(matches(as_pattern(f"{tmp_path}/*.none"))) == []


def test_a_relative_pattern_is_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / "odd [1]"
    odd.mkdir()
    (odd / "x.ndjson").touch()
    monkeypatch.chdir(odd)
    assert [f["name"] for f in matches(as_pattern("*.ndjson"))] == [str(odd / "x.ndjson")]
