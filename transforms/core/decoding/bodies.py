"""Request bodies -> the events in them, each as bytes.

A body is lines or JSON arrays, compressed or not. A broken event costs no other
one: bytes in which no events can be told apart come out as one piece, and
decoding then refuses it.
"""

import re
import zlib
from collections.abc import Iterator

import msgspec
import pyarrow as pa

from schemas.errors import MalformedPayload, PayloadTooLarge, RejectedEvent
from transforms.core.blocks import MAX_PAYLOAD_BYTES

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_READ_BYTES = 1 << 18
_NEXT_MEMBER_BYTES = 256
_MOST_LAYERS = 3
"""A client compresses a body, and a proxy may compress it again."""

_ENCODINGS = "gzip, deflate, zstd or none"
_decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_STRUCTURE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
"""Texts, which are skipped, and the characters that give JSON its structure. It never backtracks, so it is linear."""

_NEXT_EVENT = re.compile(
    rb',\s*+(?=\{\s*+"(?:ver|time|iKey|tags|data|sampleRate|ext|cV|flags|popSample|collector'
    rb'|name"\s*+:\s*+"[^"\\]{0,300}+"\s*+,\s*+"(?:ver|time|iKey|tags|data|ext|popSample))"\s*+:)'
)
"""Where the next envelope seems to begin, after one that has no end."""


def events_of_body(body: bytes, encoding: str | None) -> tuple[list[bytes], RejectedEvent | None]:
    """The events of a body; and an error if there may have been more, because its compression is cut or damaged.

    Raises MalformedPayload where no event can be told apart, PayloadTooLarge above MAX_PAYLOAD_BYTES.
    """
    if len(body) > MAX_PAYLOAD_BYTES:
        raise PayloadTooLarge("a body over the limit", "body", f"at most {MAX_PAYLOAD_BYTES} bytes")
    plain, damage = decompressed(body, encoding)
    events = split_body(plain)
    if damage is not None and events and not _is_json(events[-1]):
        events.pop()  # where it broke
    if damage is not None and not events:
        raise damage
    return events, damage


def decompressed(body: bytes, encoding: str | None = None) -> tuple[bytes, RejectedEvent | None]:
    """The body's bytes, decompressed as its first bytes say, or else its header; and the damage that ends them early.

    Every gzip member and zstd frame is read. Other bytes behind the last one are ignored, as gzip's own tools do.
    Raises PayloadTooLarge, or MalformedPayload where the header names another encoding.
    """
    word = (encoding or "").strip().lower()
    damage = None
    for _ in range(_MOST_LAYERS):
        if body[:2] == _GZIP:
            body, damage = _inflate(body, wbits=31)
        elif body[:4] == _ZSTD or _ZSTD_SKIPPED.match(body):
            body, damage = _zstd(body)
        else:
            break
        word = ""
        if damage is not None:
            return body, damage
    if word not in ("", "identity", "gzip", "x-gzip", "zstd") and body.lstrip()[:1] not in (b"{", b"["):
        if word != "deflate":
            raise MalformedPayload("an encoding that is not known", "content_encoding", _ENCODINGS)
        plain, damage = _inflate(body, wbits=15)
        return _inflate(body, wbits=-15) if damage is not None and not plain else (plain, damage)
    return body, None


def _check_grown(parts: list[bytes], size_bytes: int) -> None:
    if size_bytes > MAX_PAYLOAD_BYTES:
        parts.clear()
        raise PayloadTooLarge(
            f"more than {MAX_PAYLOAD_BYTES} bytes when decompressed", "body", f"at most {MAX_PAYLOAD_BYTES} bytes"
        )


def _inflate(body: bytes, wbits: int) -> tuple[bytes, RejectedEvent | None]:
    """Every member. zlib copies the bytes that follow a member, and there may be many members: so all but the first are
    fed in pieces that begin small and grow.
    """
    parts: list[bytes] = []
    view, at, size_bytes = memoryview(body), 0, 0
    stream, piece_bytes = zlib.decompressobj(wbits), _READ_BYTES
    while at < len(body):
        fed = bytes(view[at : at + piece_bytes])
        try:
            plain = stream.decompress(fed, MAX_PAYLOAD_BYTES + 1 - size_bytes)
        except zlib.error:
            return b"".join(parts), MalformedPayload("damaged gzip", "body", _ENCODINGS)
        parts.append(plain)
        size_bytes += len(plain)
        _check_grown(parts, size_bytes)
        at += len(fed) - len(stream.unused_data)
        piece_bytes = min(2 * piece_bytes, _READ_BYTES)
        if stream.eof:
            if wbits != 31 or body[at : at + 2] != _GZIP:
                return b"".join(parts), None
            stream, piece_bytes = zlib.decompressobj(wbits), _NEXT_MEMBER_BYTES
    return b"".join(parts), MalformedPayload("gzip ends early", "body", _ENCODINGS)


def _zstd(body: bytes) -> tuple[bytes, RejectedEvent | None]:
    parts: list[bytes] = []
    size_bytes = 0
    damage = None
    try:
        for part in _zstd_parts(body):
            parts.append(part)
            size_bytes += len(part)
            _check_grown(parts, size_bytes)
    except OSError:
        damage = MalformedPayload("damaged zstd", "body", _ENCODINGS)
        parts += _last_bytes(body, size_bytes)
    return b"".join(parts), damage


def _zstd_parts(body: bytes) -> Iterator[bytes]:
    stream = pa.CompressedInputStream(pa.BufferReader(body), "zstd")
    while part := stream.read(_READ_BYTES):
        yield bytes(part)


def _last_bytes(body: bytes, known_bytes: int) -> Iterator[bytes]:
    """The bytes of a damaged body after its last whole read, taken one by one; fewer than one read gives."""
    stream = pa.CompressedInputStream(pa.BufferReader(body), "zstd")
    stream.read(known_bytes)
    try:
        while byte := stream.read(1):
            yield byte
    except OSError:
        return


def split_body(body: bytes) -> list[bytes]:
    """The events of a plain body: members of JSON arrays, lines, or one object over many lines."""
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"[":
        return split_array(text)
    lines = [line for line in text.split(b"\n") if line and not line.isspace()]
    if len(lines) > 1 and lines[0].rstrip()[-1:] != b"}" and _is_json(text):
        return [text]
    if all(line[:1] == b"{" for line in lines):
        return lines
    found = []
    for line in lines:
        found += split_array(line.strip()) if line.lstrip()[:1] == b"[" else [line]
    return found


def _is_json(data: bytes) -> bool:
    try:
        _decode_raw(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True


def split_array(text: bytes) -> list[bytes]:
    """The members of an array, or of several arrays in a row; a member without a proper end is a piece by itself."""
    try:
        return [bytes(member) for member in _decode_raws(text)]
    except (msgspec.DecodeError, ValueError, RecursionError):
        return list(_split_broken(text)) or [text]


def _split_broken(text: bytes) -> Iterator[bytes]:
    """Cuts at the commas of the array. From a member on that breaks its structure, cuts where an envelope begins."""
    start = depth = 0
    for found in _STRUCTURE.finditer(text):
        token = found.group()
        if token[:1] == b'"' or (token == b"," and depth != 1):
            continue
        if token in b"[{":
            depth += 1
            if depth == 1:
                if token == b"{" or text[start : found.start()].strip():
                    break  # no array begins here
                start = found.end()
        elif token == b"," or (depth == 1 and token == b"]"):
            yield from _piece(text[start : found.start()])
            start = found.end()
            depth -= token == b"]"
        elif depth <= 1:
            break  # it ends what it did not begin
        else:
            depth -= 1
    *pieces, last = _NEXT_EVENT.split(text[start:])
    for piece in pieces:
        yield from _piece(piece)
    closed = last.strip().removesuffix(b"]")
    yield from _piece(closed if _is_json(closed) else last)


def _piece(data: bytes) -> Iterator[bytes]:
    """The bytes, if they are more than a bracket that was left over."""
    stripped = data.strip()
    if stripped.strip(b"] \t\r\n"):
        yield stripped
