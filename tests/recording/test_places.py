"""Thousands of files are named by the folders that the input stands for."""

from pathlib import Path

import pytest

from pipelines.recording.places import add_payloads, places_of
from pipelines.recording.record import Place
from transforms.core.output.input_list import InputList, ListedFile


def listed(*paths: str) -> InputList:
    return InputList("d", tuple(ListedFile(path, 10, ()) for path in paths))


FILES = ["/raw/a/1", "/raw/a/2", "/raw/b/1", "/rawest/1"]


@pytest.mark.parametrize(("patterns", "expected"), [
    (["/raw"], {"/raw": 3, "/rawest": 1}),
    (["/raw/"], {"/raw": 3, "/rawest": 1}),
    (["/raw/a/*", "/raw"], {"/raw/a": 2, "/raw": 1, "/rawest": 1}),
    (["/raw/*/1"], {"/raw": 3, "/rawest": 1}),
    (["/raw/a/1", "/raw/a/2", "/raw/b/*", "/rawest/?"], {"/raw/a/1": 1, "/raw/a/2": 1, "/raw/b": 1, "/rawest": 1}),
    (["/*/1"], {"": 4}),
    ([], {"/raw/a": 2, "/raw/b": 1, "/rawest": 1}),
])  # fmt: skip
def test_files_belong_to_the_longest_place(patterns: list[str], expected: dict[str, int]) -> None:
    places = places_of(listed(*FILES), patterns)
    assert {place.path: place.files for place in places} == expected
    assert sum(place.bytes for place in places) == 40
    add_payloads(places, patterns, dict.fromkeys(FILES, 5))
    assert {place.path: place.payloads for place in places} == {path: 5 * n for path, n in expected.items()}


def test_relative_and_remote_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert places_of(listed(f"{tmp_path}/raw/a"), ["raw/*"]) == [Place(f"{tmp_path}/raw", 1, 10)]
    assert places_of(listed(f"{tmp_path}/a"), ["*"]) == [Place(str(tmp_path), 1, 10)]
    assert places_of(listed("gs://b/2026-03-29/a.gz"), ["gs://b/2026-03-29/*.gz"]) == [
        Place("gs://b/2026-03-29", 1, 10)
    ]


def test_no_login_of_a_url() -> None:
    places = places_of(listed("https://***@h/raw/a"), ["https://u:hunter2@h/raw"])
    assert [place.path for place in places] == ["https://***@h/raw"]
