"""Paths: local names as they are, URLs as they are, and which is which."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core import storage

NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name.strip(".") and "~" not in name
)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_a_local_path_is_made_absolute_and_stays_the_same_file(names: list[str]) -> None:
    path = "/".join(names)
    if not storage.is_local(path):
        assert storage.absolute(path) == path
        return
    whole = storage.absolute(path)
    assert os.path.isabs(whole)
    assert storage.absolute(whole) == whole
    assert whole == os.path.join(os.getcwd(), os.path.normpath(path))


@pytest.mark.parametrize("url", ["gs://bucket/a", "s3://bucket/a/../b", "gs://b", "S3://x/y", "abfs+x://c/d"])
def test_a_url_stays_as_it_is(url: str) -> None:
    assert not storage.is_local(url)
    assert storage.absolute(url) == url


@pytest.mark.parametrize("path", ["a/odd://name", "./gs://bucket", "1s://x", "://x", "a b://c", "-://"])
def test_a_local_name_may_look_like_a_url(path: str) -> None:
    assert storage.is_local(path)
    assert storage.absolute(path) == os.path.abspath(path)


def test_file_urls_and_homes_are_local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert storage.is_local("file:///x/y")
    assert storage.local_path("file:///x/y") == "/x/y"
    assert storage.absolute("file:///x/y") == "/x/y"
    assert storage.local_path("~/y") == f"{tmp_path}/y"


@given(st.sampled_from(["gs://b", "/x", "x", "s3://b/p/"]), st.lists(NAMES, min_size=1, max_size=3))
def test_parts_are_joined_with_one_slash(folder: str, names: list[str]) -> None:
    assert storage.join(folder, *names) == "/".join([folder.rstrip("/"), *names])
    assert storage.join(folder + "/", *names) == storage.join(folder, *names)
