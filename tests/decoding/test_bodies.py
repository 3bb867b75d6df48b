"""Request bodies: every event in them is found, whatever compresses them and whichever of them is broken."""

import gzip
import json
import time
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MalformedPayload, PayloadTooLarge, RejectedEvent
from transforms.core.blocks import MAX_PAYLOAD_BYTES
from transforms.core.decoding.bodies import decompressed, events_of_body, split_body

EVENTS = [
    b'{"ver":1,"name":"a"}',
    b'{"ver":1,"data":{"b":"]},{\\"ver\\":1"}}',
    b'{"ver":1,"c":[[{"name":2},{"name":3}]]}',
]
ARRAY = b"[" + b",".join(EVENTS) + b"]"
LINES = b"\n".join(EVENTS)
BROKEN = {
    "a text that does not end": b'{"ver":1,"x":"abc}',
    "an object that does not end": b'{"ver":1,"x":{"y":1}',
    "a brace too many": b'{"ver":1}}',
    "a bracket too many": b'{"ver":1,"x":[1]]}',
    "half a character": b'{"ver":1,"x":"\\ud83d"}',
    "an unknown escape": b'{"ver":1,"x":"\\q"}',
    "no JSON": b'{"ver":1,"x":nothing}',
    "bytes that are no UTF-8": b'{"ver":1,"x":"\xff\xfe"}',
    "a control character": b'{"ver":1,"x":"\x01"}',
    "a word": b"word",
}


def test_lines_arrays_and_one_object() -> None:
    assert split_body(LINES) == split_body(ARRAY) == split_body(b"\n " + ARRAY + b" ") == EVENTS
    assert split_body(b"\xef\xbb\xbf" + LINES) == EVENTS
    assert split_body(LINES.replace(b"\n", b"\r\n\n  \n")) == [e + b"\r" for e in EVENTS[:2]] + EVENTS[2:]
    assert split_body(ARRAY + b"\n" + ARRAY) == split_body(LINES + b"\n" + ARRAY) == EVENTS * 2
    assert split_body(b"\n\n") == split_body(b"[]") == split_body(b"") == []
    pretty = json.dumps(json.loads(EVENTS[2]), indent=2).encode()
    assert split_body(pretty) == [pretty]


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_broken_member_costs_no_other_one(name: str, place: int) -> None:
    members = [*EVENTS[:place], BROKEN[name], *EVENTS[place:]]
    found = split_body(b"[" + b" ,\n".join(members) + b"]")
    assert [e for e in found if e in EVENTS] == EVENTS
    assert len(found) == len(EVENTS) + 1


@pytest.mark.parametrize("cut", range(1, len(ARRAY) - 1))
def test_array_that_ends_early_gives_its_whole_members_and_one_rest(cut: int) -> None:
    found = split_body(ARRAY[:cut])
    whole = [e for e in EVENTS if ARRAY[:cut].find(e) >= 0]
    assert found[: len(whole)] == whole
    assert len(found) <= len(whole) + 1


@given(st.binary(max_size=60))
def test_no_bytes_are_lost(body: bytes) -> None:
    """Of a body that holds anything but space and brackets, something comes out, if only to be refused."""
    assert split_body(body) or not body.strip(b" \t\r\n\v\f[]\xef\xbb\xbf")


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(LINES), "gzip"),
        (gzip.compress(LINES), None),
        (LINES, "gzip"),
        (LINES, "br"),
        (gzip.compress(LINES[:30]) + gzip.compress(LINES[30:]), "gzip"),
        (b"".join(gzip.compress(LINES[n : n + 1]) for n in range(len(LINES))), "gzip"),
        (gzip.compress(LINES) + bytes(512), "gzip"),
        (gzip.compress(LINES) + b"trailing", "gzip"),
        (gzip.compress(gzip.compress(LINES)), "gzip, gzip"),
        (zlib.compress(LINES), "deflate"),
        (zlib.compress(LINES)[2:-4], "Deflate "),
        (zstandard.compress(LINES), "zstd"),
        (zstandard.compress(LINES[:30]) + zstandard.compress(LINES[30:]), None),
        (b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + zstandard.compress(LINES), None),
    ],
)
def test_compression_is_told_by_the_bytes_or_the_header(body: bytes, encoding: str | None) -> None:
    assert events_of_body(body, encoding) == (EVENTS, None)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_body_that_breaks_gives_what_came_before_and_its_damage(compress: object) -> None:
    lines = [b'{"n":%d}' % n for n in range(100_000)]
    data = compress(b"\n".join(lines))  # type: ignore[operator]
    events, damage = events_of_body(data[: len(data) // 2], None)
    assert isinstance(damage, MalformedPayload)
    assert len(events) > 1000
    assert events == lines[: len(events)]
    two = compress(LINES + b"\n") + data[:20]  # type: ignore[operator]
    assert events_of_body(two, None)[0] == EVENTS


@pytest.mark.parametrize(
    "body", [b"\x1f\x8bxxxxxxxxx", gzip.compress(b"abc" * 1000)[:-9][:20], b"\x28\xb5\x2f\xfdjunk", b"\x1f\x8b"]
)
def test_body_in_which_nothing_can_be_told_apart_is_one_refusal(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        events_of_body(body, None)


def test_encoding_that_is_not_known_is_one_refusal() -> None:
    with pytest.raises(RejectedEvent) as refused:
        events_of_body(b"\x0b\x02\x80\n\n{\n\x03", "br")
    assert (refused.value.field, refused.value.expected) == ("content_encoding", "gzip, deflate, zstd or none")


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_what_grows_past_the_limit_is_too_large(compress: object) -> None:
    half = compress(bytes(MAX_PAYLOAD_BYTES // 2))  # type: ignore[operator]
    assert len(decompressed(half + half)[0]) == MAX_PAYLOAD_BYTES
    with pytest.raises(PayloadTooLarge):
        decompressed(half + half + compress(b"x"))  # type: ignore[operator]
    with pytest.raises(PayloadTooLarge):
        events_of_body(bytes(MAX_PAYLOAD_BYTES + 1), None)


WORST = {
    "brackets": b"[",
    "braces": b"{",
    "commas": b",",
    "spaces": b" ",
    "lines of brackets": b"\n[",
    "texts that do not end": b'\\"',
    "envelopes that do not end": b',{"ver":1',
    "arrays": b"][",
    "members": gzip.compress(b"", mtime=0),
}


@pytest.mark.parametrize("name", WORST)
def test_time_grows_with_the_length(name: str) -> None:
    def cpu_s(size: int) -> float:
        body = (b"" if name == "members" else b'[{"a":"' if name.startswith("texts") else b"[") + WORST[name] * (
            size // len(WORST[name])
        )
        start = time.process_time()
        events_of_body(body, None)
        return time.process_time() - start

    cpu_s(1000)
    assert cpu_s(1 << 19) < 40 * max(cpu_s(1 << 15), 0.001)
