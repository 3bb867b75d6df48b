"""Keys from elsewhere: an age identity, a program, and every way in which one is none; never the key in a line."""

import os
from pathlib import Path

import fsspec
import pyrage
import pytest

from schemas.errors import KeyUnavailable
from tests.support.wrapping import age_identity, program
from transforms.core.keys.wrapping_keys import VARIABLE, place_of, unwrap, use_wrapping_key, wrap

KEY = bytes(range(32))
REVERSING = "import sys\nprint(sys.stdin.read().strip()[::-1])"


def test_age_opens_what_it_wrapped_and_what_age_itself_wrapped(tmp_path: Path) -> None:
    where = age_identity(tmp_path / "age.txt")
    assert unwrap(where, wrap(where, KEY)) == KEY
    assert wrap(where, KEY) != wrap(where, KEY)
    with pytest.raises(KeyUnavailable, match="does not open this file"):
        unwrap(age_identity(tmp_path / "other.txt"), wrap(where, KEY))


def test_every_identity_of_a_file_opens_so_that_keys_may_be_exchanged(tmp_path: Path) -> None:
    old, new = age_identity(tmp_path / "old.txt"), age_identity(tmp_path / "new.txt")
    wrapped = wrap(old, KEY)
    both = tmp_path / "both.txt"
    both.write_text(Path(new).read_text() + Path(old).read_text())
    both.chmod(0o600)
    assert unwrap(str(both), wrapped) == KEY
    assert unwrap(new, wrap(str(both), KEY)) == KEY


def test_an_identity_may_lie_in_a_store(tmp_path: Path) -> None:
    text = Path(age_identity(tmp_path / "age.txt")).read_bytes()
    fsspec.filesystem("memory").pipe_file("/elsewhere/age.txt", text)
    assert unwrap("memory://elsewhere/age.txt", wrap(str(tmp_path / "age.txt"), KEY)) == KEY


@pytest.mark.parametrize("content", ["", "# a comment\n", "AGE-SECRET-KEY-1QQQQ\n", "key of mine\n", "\x00\xff"])
def test_what_is_no_identity_is_one_line_without_its_content(tmp_path: Path, content: str) -> None:
    path = tmp_path / "age.txt"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyUnavailable, match="is no file of age identities") as told:
        wrap(str(path), KEY)
    assert "QQQQ" not in str(told.value)
    assert "mine" not in str(told.value)
    path.chmod(0o622)
    with pytest.raises(KeyUnavailable, match="may be written by others"):
        wrap(str(path), KEY)
    with pytest.raises(KeyUnavailable, match="no wrapping key at"):
        wrap(str(tmp_path / "none.txt"), KEY)


def test_a_program_is_given_the_key_on_its_standard_input(tmp_path: Path) -> None:
    where = f"command:{program(tmp_path / 'kms', REVERSING)}"
    assert unwrap(where, wrap(where, KEY)) == KEY
    orders = program(
        tmp_path / "orders", "import sys\nprint(sys.argv[1:], file=open(sys.argv[0] + '.log', 'a'))\nprint('AA==')"
    )
    wrap(f"command:{orders}", KEY)
    unwrap(f"command:{orders}", "x")
    assert Path(f"{orders}.log").read_text() == "['wrap']\n['unwrap']\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import sys\nsys.exit(3)", "kms unwrap: ended with exit code 3 and gave no key"),
        ("", "ended with exit code 0 and gave no key"),
        ("print('no key at all!')", "gave is no key in base64"),
    ],
)
def test_a_program_that_fails_is_one_line(tmp_path: Path, code: str, told: str) -> None:
    where = f"command:{program(tmp_path / 'kms', code)}"
    with pytest.raises(KeyUnavailable, match=told) as found:
        unwrap(where, "the wrapped key")
    assert "at all" not in str(found.value)


def test_what_is_no_program_or_may_be_replaced_by_others_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="none wrap: FileNotFoundError; allowed is a program"):
        wrap(f"command:{tmp_path}/none", KEY)
    path = program(tmp_path / "kms", REVERSING)
    os.chmod(path, 0o777)
    with pytest.raises(KeyUnavailable, match=r"the program of the wrapping key .* may be written by others"):
        wrap(f"command:{path}", KEY)


def test_a_place_is_found_from_any_folder_and_a_key_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert place_of("age.txt") == f"{os.getcwd()}/age.txt"
    assert place_of("command:kms") == f"command:{os.getcwd()}/kms"
    assert use_wrapping_key("gs://bucket/age.txt") == os.environ[VARIABLE] == "gs://bucket/age.txt"
    secret = str(pyrage.x25519.Identity.generate())
    for text in (secret, secret.lower()):
        with pytest.raises(KeyUnavailable, match="this is a key itself") as told:
            place_of(text)
        assert secret[20:30].lower() not in str(told.value).lower()
