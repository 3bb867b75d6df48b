"""A request's body: read within bounds, and inflated within bounds."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from pipelines.collector.refusals import Refused, overloaded
from transforms.core.blocks import MAX_PAYLOAD_BYTES

_BODY_TIMEOUT_S = 30.0
"""Seconds a body may take to arrive. The clients give up after 20 s."""

_TYPES = frozenset(
    ("application/x-json-stream", "application/json", "application/x-ndjson", "application/octet-stream", "text/plain")
)
"""1DS sends `application/json` from Node, where its bodies are lines, and `text/plain` as a browser's beacon."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = zlib.MAX_WBITS | 16


class Memory:
    """How many bytes of bodies may be held at once, from their first chunk to the answer."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.held_bytes = 0

    def check(self, size_bytes: int) -> None:
        """Raises Refused (503) where so much more would be too much."""
        if self.held_bytes + size_bytes > self._limit_bytes:
            raise overloaded()

    @contextmanager
    def held(self) -> Iterator["Held"]:
        """What one request holds; free again at the end of the block."""
        one = Held(self)
        try:
            yield one
        finally:
            self.held_bytes -= one.size_bytes


class Held:
    """The bytes that one request holds."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.size_bytes = 0

    def grow(self, size_bytes: int) -> None:
        """Raises Refused (503) where so much more is too much."""
        self._memory.check(size_bytes)
        self._memory.held_bytes += size_bytes
        self.size_bytes += size_bytes


def media_type(header: str | None) -> str | None:
    """The media type in a Content-Type header, without its parameters; raises Refused (415) on a foreign one."""
    kind = (header or "").partition(";")[0].strip().lower()
    if kind and kind not in _TYPES:
        raise Refused(415, f"this Content-Type is none of {', '.join(sorted(_TYPES))}")
    return kind or None


def content_encoding(header: str | None) -> str | None:
    """gzip, deflate or None; raises Refused (415) on any other."""
    name = (header or "identity").strip().lower()
    if name not in ("gzip", "x-gzip", "deflate", "identity", ""):
        raise Refused(415, "this Content-Encoding is none of gzip, deflate, identity")
    return {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}.get(name)


async def read_body(chunks: AsyncIterator[bytes], announced: str | None, limit_bytes: int, held: Held) -> bytes:
    """The body as it was sent.

    Raises Refused: 413 where it is longer than the limit, announced or not,
    503 where too many others are held, 408 where it does not come to its end.
    """
    if announced is not None and announced.isascii() and announced.isdigit() and int(announced[:20]) > limit_bytes:
        raise _too_large(limit_bytes)
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            async for chunk in chunks:
                if held.size_bytes + len(chunk) > limit_bytes:
                    raise _too_large(limit_bytes)
                held.grow(len(chunk))
                parts.append(chunk)
    except TimeoutError:
        raise Refused(408, "the body did not come to its end in time") from None
    return b"".join(parts)


def inflated(body: bytes, encoding: str | None) -> bytes:
    """The body as it was before it was compressed; gzip is known by its first bytes, too, as the jobs know it.

    Raises Refused: 400 where it is not what it says or ends early, 413 where it
    grows past MAX_PAYLOAD_BYTES.
    """
    if encoding == "gzip" or body[:2] == _GZIP_MAGIC:
        return _inflated(body, _GZIP)
    if encoding == "deflate":
        try:
            return _inflated(body, zlib.MAX_WBITS)
        except Refused as refused:
            if refused.status != 400:
                raise
            return _inflated(body, -zlib.MAX_WBITS)  # some senders leave zlib's own header out
    if len(body) > MAX_PAYLOAD_BYTES:
        raise _too_large(MAX_PAYLOAD_BYTES)
    return body


def _inflated(body: bytes, window_bits: int) -> bytes:
    """All members of the stream, one after the other."""
    parts: list[bytes] = []
    left_bytes = MAX_PAYLOAD_BYTES
    while body:
        stream = zlib.decompressobj(window_bits)
        try:
            part = stream.decompress(body, left_bytes + 1)
        except zlib.error:
            raise Refused(400, "the body is not what its Content-Encoding says") from None
        left_bytes -= len(part)
        if left_bytes < 0:
            raise Refused(413, f"the body is longer than {MAX_PAYLOAD_BYTES} bytes when it is inflated")
        if not stream.eof:
            raise Refused(400, "the compressed body ends early")
        parts.append(part)
        body = stream.unused_data if window_bits == _GZIP else b""
    return b"".join(parts)


def _too_large(limit_bytes: int) -> Refused:
    return Refused(413, f"the body is longer than {limit_bytes} bytes")
