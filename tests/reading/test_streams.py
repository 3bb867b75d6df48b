"""Plain streams against the simplest model, bytes in memory; raw files tell what the storage refuses."""

import gzip
import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import aiohttp
import botocore.exceptions
import google.auth.exceptions
import pytest
import requests.exceptions
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from schemas.errors import SourceUnavailable, StorageUnavailable
from transforms.core.reading.inflate import Damaged
from transforms.core.reading.streams import CHUNK_BYTES, PlainStream, RawFile, plain_stream

CONTENT = st.lists(st.binary(max_size=6) | st.sampled_from([b"abc", b"ab", b"c"]), max_size=8)


class StreamMachine(RuleBasedStateMachine):
    """Whatever is asked in whatever order, the stream gives what a slice of all its bytes would."""

    @initialize(pieces=CONTENT, is_broken=st.booleans())
    def begin(self, pieces: list[bytes], is_broken: bool) -> None:
        def given_pieces() -> Iterator[bytes]:
            yield from pieces
            if is_broken:
                raise Damaged

        self.left = b"".join(pieces)
        self.given = 0
        self.is_damaged = is_broken
        self.stream = PlainStream(given_pieces())

    @rule(size=st.integers(0, 9))
    def peek(self, size: int) -> None:
        assert self.stream.peek(size) == self.left[:size]

    @rule(offset=st.integers(0, 9), size=st.integers(0, 9))
    def peek_at(self, offset: int, size: int) -> None:
        assert self.stream.peek_at(offset, size) == self.left[offset : offset + size]

    @rule(size=st.integers(0, 9))
    def read(self, size: int) -> None:
        assert self.stream.read(size) == self.left[:size]
        self._gave(size)

    @rule(marker=st.sampled_from([b"abc", b"a", b"ca", b"zzzz"]))
    def read_past(self, marker: bytes) -> None:
        place = self.left.find(marker)
        assert self.stream.read_past(marker) == (None if place < 0 else place)
        self._gave(len(self.left) if place < 0 else place + len(marker))

    @rule()
    def position(self) -> None:
        assert self.stream.given_bytes == self.given
        assert self.stream.ahead_bytes <= len(self.left)

    def _gave(self, size: int) -> None:
        self.given += len(self.left[:size])
        self.left = self.left[size:]

    def teardown(self) -> None:
        if not hasattr(self, "stream"):
            return
        found = bytearray()
        try:
            for piece in self.stream.pieces():
                found += piece
            assert not self.is_damaged
        except Damaged:
            assert self.is_damaged
        assert bytes(found) == self.left


StreamMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
TestPlainStream = StreamMachine.TestCase


@pytest.mark.parametrize("marker", [b"ab", b"abab", b"a"])
@given(st.lists(st.sampled_from([b"a", b"b", b"ab", b"ba"]), max_size=10))
def test_a_marker_is_found_across_pieces(marker: bytes, pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    place = data.find(marker)
    assert PlainStream(iter(pieces)).read_past(marker) == (None if place < 0 else place)


class Refusing(io.BytesIO):
    def __init__(self, error: BaseException) -> None:
        super().__init__(b"x")
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        raise self._error


REFUSALS: list[BaseException] = [
    OSError(5, "Input/output error"), TimeoutError(), EOFError(), PermissionError(13, "Permission denied"),
    google.auth.exceptions.RefreshError("secret"), requests.exceptions.ProxyError("secret"),
    botocore.exceptions.NoCredentialsError(), botocore.exceptions.ClientError({"Error": {"Code": "SlowDown"}}, "GetObject"),
    aiohttp.ClientPayloadError("secret"), ValueError("Bad Request: secret"), RuntimeError("secret"),
]  # fmt: skip


@pytest.mark.parametrize("error", REFUSALS, ids=lambda e: type(e).__name__)
def test_what_clients_of_storage_raise_is_one_line_with_the_path(error: BaseException) -> None:
    with pytest.raises(StorageUnavailable) as refused:
        RawFile(Refusing(error), "gs://b/a").read()
    assert str(refused.value).startswith("cannot read gs://b/a: ")
    assert "secret" not in str(refused.value)
    assert getattr(error, "strerror", None) or type(error).__name__ in str(refused.value)


def test_what_gcsfs_raises_is_one_line_too() -> None:
    """In a process of its own: gcsfs looks for a server's address when it is imported, and tests that start one import it
    after that. In one process they waited for ever.
    """
    script = """
import gcsfs.retry
from schemas.errors import StorageUnavailable
from transforms.core.reading.streams import RawFile
class Refusing:
    def __init__(self, error): self.error = error
    def read(self, size=-1): raise self.error
for error in (gcsfs.retry.HttpError({"code": 503, "message": "secret"}), gcsfs.retry.ChecksumError("secret")):
    try:
        RawFile(Refusing(error), "gs://b/a").read()
    except StorageUnavailable as refused:
        print(refused)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "cannot read gs://b/a: HttpError\ncannot read gs://b/a: ChecksumError\n"


@pytest.mark.parametrize(
    "error", [KeyError("a"), TypeError("a"), MemoryError(), AssertionError(), SourceUnavailable("a")]
)
def test_a_bug_is_not_taken_for_a_refusal_of_the_storage(error: BaseException) -> None:
    with pytest.raises(type(error)) as passed:
        RawFile(Refusing(error), "a").read()
    assert passed.value is error


@given(st.integers(0, 3 * CHUNK_BYTES))
def test_a_file_is_read_in_chunks_to_its_end(size: int) -> None:
    chunks = list(RawFile(io.BytesIO(bytes(size)), "a").chunks())
    assert sum(map(len, chunks)) == size
    assert all(len(chunk) == CHUNK_BYTES for chunk in chunks[:-1])


@pytest.mark.parametrize("outer", [bytes, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("inner", [bytes, gzip.compress, zstandard.compress])
def test_two_layers_of_compression_are_read_and_no_third(outer: Any, inner: Any) -> None:
    assert plain_stream(io.BytesIO(outer(inner(b"content"))), "a").read(100) == b"content"
    if outer is not bytes and inner is not bytes:
        thrice = gzip.compress(outer(inner(b"content")))
        assert plain_stream(io.BytesIO(thrice), "a").read(100) == inner(b"content")[:100]
