"""What a claim's files say, and what is made of those that say nothing."""

import threading
import time
from pathlib import Path

import pytest

from schemas.errors import OutputInUse, StorageUnavailable
from transforms.core.output.claim_file import ClaimFile, beat_s_of, token_of
from transforms.core.output.layout import Output


def test_none_is_none_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    file = ClaimFile(Output(str(tmp_path)))
    assert file.read() is None
    for data in (b"", b"{", b"7", b"\xff"):
        (tmp_path / "_claim.json").write_bytes(data)
        with pytest.raises(OutputInUse, match=f"{tmp_path}/_claim.json is damaged"):
            file.read()
    (tmp_path / "_claim.json").write_bytes(b'{"token": "a"}')
    assert file.read() == {"token": "a"}


def test_one_that_is_just_being_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "_claim.json"
    path.write_bytes(b"")

    def write() -> None:
        time.sleep(0.05)
        path.write_bytes(b'{"token": "a"}')

    threading.Thread(target=write).start()
    assert ClaimFile(Output(str(tmp_path))).read() == {"token": "a"}


def test_a_heartbeat_is_a_file_beside_it(tmp_path: Path) -> None:
    file = ClaimFile(Output(str(tmp_path)), "_other.json")
    assert file.heartbeat({"token": "abc"}) is None
    Path(file.beat_path("abc")).write_bytes(b"7\n")
    assert file.heartbeat({"token": "abc"}) == b"7\n"
    assert Path(file.beat_path("abc")).name == "_other.json.abc.beat"


def test_what_cannot_be_read_is_not_taken_for_gone(tmp_path: Path) -> None:
    (tmp_path / "_claim.json").mkdir()
    with pytest.raises(StorageUnavailable):
        ClaimFile(Output(str(tmp_path))).read()


@pytest.mark.parametrize("token", [None, 7, "", "../x", "a b", ["a"]])
def test_a_token_that_is_no_name_is_none(token: object) -> None:
    assert token_of({"token": token}) == ""
    assert token_of({"token": "0f"}) == "0f"


def test_a_rhythm_that_is_no_number_is_none() -> None:
    assert (beat_s_of({}), beat_s_of({"beat_s": "10"}), beat_s_of({"beat_s": 2})) == (0.0, 0.0, 2.0)
