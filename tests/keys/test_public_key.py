"""The public key as text."""

from pathlib import Path

import pytest

from schemas.errors import KeyUnavailable
from transforms.core.chains.chain_files import put_key_beside
from transforms.core.keys.public_key import key_line, read_public_key
from transforms.core.output.layout import PUBLIC_KEY_FILE, Output


def test_a_key_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(key_line(b"a" * 32))
    assert read_public_key(str(tmp_path / "k")) == b"a" * 32


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"x", b"AAAA\n", b"\xff" * 50, b"A" * 100_000, key_line(b"a" * 32) * 2]
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "k").write_bytes(content)
    with pytest.raises(KeyUnavailable, match="is no file of a public key"):
        read_public_key(str(tmp_path / "k"))


def test_the_key_beside_an_output_is_replaced_by_a_newer_one(tmp_path: Path) -> None:
    for key in (b"a" * 32, b"b" * 32, b"b" * 32):
        put_key_beside(Output(str(tmp_path)), key)
        assert read_public_key(str(tmp_path / PUBLIC_KEY_FILE)) == key
