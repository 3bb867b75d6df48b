"""A manifest is read as it was signed, or not at all."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.chains.run_manifest import PutFile, RunManifest, Unsound, is_path, read_signed, signed
from transforms.core.keys.signing import Signer

SIGNER, ANOTHER = Signer(b"s" * 31 + b"1"), Signer(b"s" * 31 + b"2")
MANIFEST = RunManifest(
    output="0" * 32, chain="output", number=7, before="a" * 64, kind="batch", made_at=datetime(2026, 3, 29, tzinfo=UTC),
    software="0.1.0", contract="b" * 16, books={"rows": {"displays": 1}}, put=[PutFile("a/b.parquet", 3, 1, "c" * 64)],
)  # fmt: skip
DATA = signed(MANIFEST, SIGNER)


def test_what_was_signed_is_read() -> None:
    assert read_signed(DATA, SIGNER.public_key) == MANIFEST


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_no_byte_can_be_another_one(position: int, change: int) -> None:
    altered = DATA[:position] + bytes([DATA[position] ^ change]) + DATA[position + 1 :]
    with pytest.raises(Unsound):
        read_signed(altered, SIGNER.public_key)


@given(st.binary(max_size=300))
def test_whatever_lies_there_is_a_finding(data: bytes) -> None:
    for content in (data, DATA + data[:1] if data else DATA[:-1], data + b"\n" + DATA.partition(b"\n")[2]):
        with pytest.raises(Unsound):
            read_signed(content, SIGNER.public_key)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[" * 100_000, b'{"version":99}', b'{"version":1}',
     json.dumps({**json.loads(DATA.partition(b"\n")[0]), "put": [["../x", 1, 1, "c" * 64]]}).encode(),
     json.dumps({**json.loads(DATA.partition(b"\n")[0]), "put": [["x", -1, 1, "c" * 64]]}).encode(),
     json.dumps({**json.loads(DATA.partition(b"\n")[0]), "more": 1}).encode()],
    ids=lambda body: str(body[:20]),
)  # fmt: skip
def test_what_is_signed_and_no_manifest_is_a_finding_too(body: bytes) -> None:
    """A program of another version, or one that the key was given to."""
    purpose = b"suggestion-telemetry run manifest 1\n"
    line = json.dumps(
        {"key": base64.b64encode(SIGNER.public_key).decode(), "signature": base64.b64encode(SIGNER.sign(purpose + body)).decode()},
        separators=(",", ":"),
    ).encode()  # fmt: skip
    with pytest.raises(Unsound, match=r"version|names a file"):
        read_signed(body + b"\n" + line + b"\n", SIGNER.public_key)


def test_a_signature_made_for_something_else_is_none() -> None:
    body = DATA.partition(b"\n")[0]
    line = json.dumps({"key": base64.b64encode(SIGNER.public_key).decode(), "signature": base64.b64encode(SIGNER.sign(body)).decode()}, separators=(",", ":")).encode()  # fmt: skip
    with pytest.raises(Unsound, match="altered or forged"):
        read_signed(body + b"\n" + line + b"\n", SIGNER.public_key)


def test_paths_stay_in_the_output() -> None:
    assert all(map(is_path, ("a", "a/b.parquet", "_inputs/x/2026-03-29")))
    assert not any(map(is_path, ("", "/a", "a//b", "../a", "a/../b", "a/", "x" * 2000)))
