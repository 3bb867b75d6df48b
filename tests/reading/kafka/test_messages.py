"""Stamps of Kafka messages: headers win; where there are none, the events' own count, however they are packed."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import sample
from transforms.core.blocks import Block
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.reading.kafka.messages import Arrived, _stamp, block_of
from transforms.core.times import plausible_receive_times

LINE = json.dumps(sample()).encode()
OFF = json.dumps({**sample(), "collector": {**sample()["collector"], "telemetry_level": "off"}}).encode()
BARE = json.dumps({k: v for k, v in sample().items() if k != "collector"}).encode()
APPENDED_MS = 1_774_779_333_000


def fates(ring: KeyRing, value: bytes, headers: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for batch in BlockDecoder(step_keys_of(ring).quarantine, 4).decode(
        block_of([Arrived(0, 0, APPENDED_MS, headers, value)])
    ):
        rows = batch.batch.to_pylist()
        if batch.kind == "counts":
            found |= {f"{row['kind']} {row['key']}".strip(): row["count"] for row in rows}
            assert {row["days"] for row in rows} == {20541}
        else:
            found[batch.kind] = len(rows)
    return found


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_lines_with_stamps_of_their_own(pack: Any, ring: KeyRing) -> None:
    one = {"payloads": 1, "events": 1}
    assert fates(ring, pack(LINE), {}) == {**one, "displays": 1}
    assert fates(ring, pack(LINE), {"content_type": b"x", "unheard_of": b"off"}) == {**one, "displays": 1}
    assert fates(ring, pack(LINE + b"\n" + OFF + b"\n" + BARE), {}) == {
        "payloads": 1, "events": 3, "displays": 1, "withheld off": 2,
    }  # fmt: skip
    assert fates(ring, pack(b"[" + LINE + b"," + OFF + b"]"), {}) == {
        "payloads": 1, "events": 2, "displays": 1, "withheld off": 1,
    }  # fmt: skip
    assert fates(ring, pack(BARE), {}) == {**one, "withheld off": 1}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("header", ["telemetry_level", "client_ip", "received_at", "snippet_consent"])
def test_headers_win(pack: Any, header: str, ring: KeyRing) -> None:
    value = {"telemetry_level": b"off", "client_ip": b"8.8.8.8", "received_at": b"2026-03-29T10:15:33Z"}.get(
        header, b"true"
    )
    found = fates(ring, pack(LINE), {header: value})
    assert found == {"payloads": 1, "events": 1, "withheld off": 1}


@pytest.mark.parametrize(
    ("value", "consent"),
    [(b"true", True), (b"True", True), (b"TRUE ", True), (b"1", True), ("true", True), (b"false", False), (b"0", False),
     (b"yes", False), (b"", False), (None, False), (b"\xff", False)],
)  # fmt: skip
def test_snippet_consent(value: Any, consent: bool) -> None:
    (request,) = block_of([Arrived(0, 0, APPENDED_MS, {"snippet_consent": value}, BARE)]).requests
    assert request.snippet_consent is consent


def test_consent_that_is_told_in_two_ways_is_none() -> None:
    twice = [
        ("telemetry_level", b"all"),
        ("client_ip", b"1.1.1.1"),
        ("telemetry_level", b"off"),
        ("client_ip", b"8.8.8.8"),
    ]
    assert _stamp(twice) == {"telemetry_level": None, "client_ip": b"8.8.8.8"}
    assert _stamp(twice[::-1])["telemetry_level"] is None
    assert _stamp([*twice[:1], *twice[:1]]) == {"telemetry_level": b"all"}


def test_line_of_a_message_without_headers_is_kept_as_a_line(ring: KeyRing) -> None:
    """So that it can be read again: its stamp lies in it."""
    wrong = {**sample(), "tags": 7}
    value = gzip.compress(json.dumps(wrong).encode())
    block: Block = block_of([Arrived(0, 0, APPENDED_MS, {}, value)])
    (row,) = (
        r
        for b in BlockDecoder(step_keys_of(ring).quarantine, 4).decode(block)
        if b.kind == "quarantine"
        for r in b.batch.to_pylist()
    )
    assert (row["container"], row["field"], row["body"] is not None) == ("ndjson", "tags", True)


HEADERS = st.dictionaries(
    st.sampled_from(["received_at", "client_ip", "telemetry_level", "snippet_consent", "content_type", "unheard_of"]),
    st.sampled_from(
        [b"2026-03-29T10:15:33Z", b"2026-03-29", b"noon", b"8.8.8.8", b"all", b"true", b"\xff", b"", None, "all"]
    ),
    max_size=5,
)
ARRIVED = st.builds(
    Arrived, st.integers(0, 3), st.integers(0, 9), st.integers(APPENDED_MS, APPENDED_MS + 3), HEADERS,
    st.sampled_from([LINE, BARE, b"", b"[]", LINE + b"\n" + BARE, gzip.compress(LINE)]),
)  # fmt: skip
STAMP_NAMES = {"received_at", "client_ip", "telemetry_level", "snippet_consent"}


@given(st.lists(ARRIVED, max_size=6))
def test_each_message_is_a_line_or_a_request_with_its_own_headers(messages: list[Arrived]) -> None:
    """Against the slow way, a message at a time: columns must not mix what stands beside each other."""
    block = block_of(messages)
    lines = [m.value for m in messages if not STAMP_NAMES & set(m.headers) and m.value == LINE]
    assert block.lines == lines
    requests = [m for m in messages if STAMP_NAMES & set(m.headers) or m.value != LINE]
    assert [request.body for request in block.requests] == [m.value for m in requests]
    for request, message in zip(block.requests, requests, strict=True):
        alone = block_of([message]).requests[0]
        assert request._replace(received_at="") == alone._replace(received_at="")
        assert request.is_stamped == bool(STAMP_NAMES & set(message.headers))
        text = message.headers.get("received_at")
        given_time = text.decode(errors="replace") if isinstance(text, bytes) else text
        moment = plausible_receive_times(pa.array([given_time], pa.string()))[0].as_py()
        expected = moment or datetime.fromtimestamp(message.appended_ms / 1000, UTC)
        found = datetime.fromisoformat(request.received_at)
        assert (found if found.tzinfo else found.replace(tzinfo=UTC)) == expected
