"""Files are as they were signed, or the first of those that are not are named."""

from pathlib import Path

import pytest

from schemas.errors import UnbalancedBooks
from transforms.core.chains.as_signed import check_as_signed, check_folders_as_signed
from transforms.core.chains.chain import Chain, begin_chain, put_file
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import Output

SIGNER = Signer(b"s" * 31 + b"1")
FILES = ("_a/one", "_a/two", "_a/three", "_a/gone")


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    """Each file put by a manifest of its own, the second one twice, the last one removed."""
    output, begun = Output(str(tmp_path)), begin_chain(Output(str(tmp_path)), SIGNER)
    (tmp_path / "_a").mkdir()
    for number, path in enumerate((*FILES, FILES[1])):
        (tmp_path / path).write_text(str(number))
        begun.append("begin", [put_file(output, path)])
    (tmp_path / FILES[3]).unlink()
    begun.append("erase", [], [FILES[3]])
    return begin_chain(output, SIGNER)


def check(chain: Chain, folder: Path, *paths: str, unsigned: tuple[str, ...] = ()) -> None:
    check_as_signed(Output(str(folder)), chain, paths, unsigned)


def test_what_was_not_touched_is_well_and_what_never_was_too(chain: Chain, tmp_path: Path) -> None:
    check(chain, tmp_path)
    check(chain, tmp_path, *FILES, "_a/never")


@pytest.mark.parametrize("path", FILES[:3])
def test_one_that_was_altered(chain: Chain, tmp_path: Path, path: str) -> None:
    (tmp_path / path).write_text("x")
    with pytest.raises(UnbalancedBooks, match=rf"nothing was changed.*{path} was altered \(manifest output \d\)"):
        check(chain, tmp_path, *FILES)
    check(chain, tmp_path, *(other for other in FILES if other != path))
    check(chain, tmp_path, *FILES, unsigned=(path,))


def test_an_older_one_that_was_brought_back(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / FILES[1]).write_text("1")
    with pytest.raises(UnbalancedBooks, match=r"_a/two was altered \(manifest output 5\)"):
        check(chain, tmp_path, *FILES)


def test_one_that_is_gone_one_that_came_back_and_one_that_nobody_put(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / FILES[0]).unlink()
    (tmp_path / FILES[3]).write_text("3")
    (tmp_path / "_a/never").write_text("x")
    with pytest.raises(UnbalancedBooks) as found:
        check(chain, tmp_path, *FILES, "_a/never")
    told = str(found.value)
    assert "_a/one is gone (manifest output 1)" in told
    assert "_a/gone is told by no manifest (manifest output 6)" in told
    assert "_a/never is told by no manifest" in told


def test_of_many_some_are_named(chain: Chain, tmp_path: Path) -> None:
    paths = [f"_a/new{number}" for number in range(9)]
    for path in paths:
        (tmp_path / path).write_text("x")
    with pytest.raises(UnbalancedBooks, match=r"_a/new2 is told by no manifest; and 6 more\. pipelines\.verify"):
        check(chain, tmp_path, *paths)


def test_a_folder_tells_also_what_is_missing_and_what_is_new(chain: Chain, tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    check_folders_as_signed(output, chain, {"_a", "_b"})
    (tmp_path / "_b").mkdir()
    (tmp_path / "_b" / "new").write_text("x")
    check_folders_as_signed(output, chain, {"_a"})
    check_folders_as_signed(output, chain, {"_a", "_b"}, unsigned={"_b/new"})
    with pytest.raises(UnbalancedBooks, match="_b/new is told by no manifest"):
        check_folders_as_signed(output, chain, {"_a", "_b"})
    (tmp_path / FILES[2]).unlink()
    with pytest.raises(UnbalancedBooks, match=r"_a/three is gone \(manifest output 3\)"):
        check_folders_as_signed(output, chain, {"_a"})
    check_folders_as_signed(output, chain, {"_a"}, unsigned={FILES[2]})
