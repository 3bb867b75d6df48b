"""Paths find their file system as they are written, and what a storage refuses is one line that names the path."""

import os
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StorageUnavailable, UnbalancedBooks
from transforms.core.storage.file_systems import explained, is_local, open_fs, open_read

NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=10).filter(
    lambda name: name.strip(".")
)


@given(st.lists(NAMES, min_size=1, max_size=3))
def test_a_local_name_means_itself(names: list[str]) -> None:
    """fsspec's own way in reads `::` as a chain of file systems, `#` as a version, `*` as a glob."""
    fs, inner = open_fs("/" + "/".join(names))
    assert isinstance(fs, LocalFileSystem)
    assert inner == os.path.normpath("/" + "/".join(names))


@pytest.mark.parametrize("name", ["a::b", "a#12", "s3:x", "memory:x", "[1].ndjson", "a?versionId=1", "a%20b", " a "])
def test_an_odd_name_is_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(name.encode())
    with open_read(f"{tmp_path}/{name}") as file:
        assert file.read() == name.encode()
    with open_read(f"file://{tmp_path}/{name}") as file:
        assert file.read() == name.encode()


@pytest.mark.parametrize("url", ["nothing://bucket/x", "no-such-thing+x://y"])
def test_a_protocol_that_nobody_knows_is_one_line(url: str) -> None:
    assert not is_local(url)
    with pytest.raises(StorageUnavailable, match="cannot reach") as told:
        open_fs(url)
    assert "\n" not in str(told.value)


class FromAPackage(Exception):
    """As gcsfs's HttpError: no OSError."""


@pytest.mark.parametrize(
    ("cause", "told"),
    [(OSError(28, "No space left on device"), "No space left on device"), (FromAPackage("SECRET"), "FromAPackage"),
     (PermissionError(13, "Permission denied"), "Permission denied"), (RuntimeError("SECRET"), "RuntimeError"),
     (EOFError(), "EOFError"), (ValueError("SECRET"), "ValueError"), (TimeoutError(), "TimeoutError")],
    ids=str,
)  # fmt: skip
def test_what_a_storage_refuses_is_named_by_its_kind_and_never_by_its_words(cause: Exception, told: str) -> None:
    with pytest.raises(StorageUnavailable, match=f"cannot read /x: {told}") as refused, explained("/x", "read"):
        raise cause
    assert "SECRET" not in str(refused.value)
    assert refused.value.__cause__ is cause


@pytest.mark.parametrize(
    "bug", [KeyError("x"), TypeError("x"), MemoryError(), AssertionError(), KeyboardInterrupt()], ids=repr
)
def test_a_bug_is_no_refusal(bug: BaseException) -> None:
    with pytest.raises(type(bug)), explained("/x", "read"):
        raise bug


def test_our_own_errors_pass_as_they_are() -> None:
    with pytest.raises(UnbalancedBooks, match="as it is"), explained("/x", "read"):
        raise UnbalancedBooks("as it is")


class ParamValidationError(Exception):
    """As botocore's."""


@pytest.mark.parametrize(("doing", "cause", "code"), [
    ("read", PermissionError(), 1), ("list", NotADirectoryError(), 1), ("read", IsADirectoryError(), 1),
    ("reach", ImportError(), 1), ("reach", ValueError(), 1), ("write", FileNotFoundError(), 1),
    ("read", ParamValidationError(), 1),
    ("read", FileNotFoundError(), 75), ("list", ValueError(), 75), ("write", OSError(28, "No space left"), 75),
    ("write", TimeoutError(), 75), ("read", ConnectionResetError(), 75), ("read", FromAPackage(), 75),
])  # fmt: skip
def test_what_the_next_run_would_meet_too_is_refused_and_the_rest_is_tried_again(
    doing: str, cause: Exception, code: int
) -> None:
    with pytest.raises(StorageUnavailable) as refused, explained("/x", doing):
        raise cause
    assert refused.value.exit_code == code
