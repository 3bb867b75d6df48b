"""Refusals: withheld where the user said off, never a body without consent, and the receive time that is known."""

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Reason
from schemas.registry import PERMITTED
from tests.conftest import KEY_RING, sample
from transforms.core.blocks import RawRequest
from transforms.core.consent import Collector
from transforms.core.decoding.refusals import outside_ring, payload_of, refuse
from transforms.core.keys import keyring
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.quarantine.rows import Quarantine, Refusal
from transforms.core.times import TIMESTAMP

KEYS = step_keys_of(keyring.load(KEY_RING)).quarantine
STAMP = {"received_at": "2026-03-29T10:15:33Z", "client_ip": "8.8.8.8"}
CODE = sample("snippets/pass/engine.completion")
LEVELS_SENT = st.sampled_from([*PERMITTED, "everything", None, 7])
CONSENTS = st.sampled_from([True, False, None, "true"])
REASONS = st.sampled_from(
    [Reason.MALFORMED_PAYLOAD, Reason.INVALID_EVENT, Reason.PAYLOAD_TOO_LARGE, Reason.UNPROCESSABLE]
)


def refused(
    line: bytes, request: RawRequest | None, stamp: Collector | None, reason: Reason
) -> tuple[Any, list[Any], Any]:
    """The receive time, what was withheld, and the quarantine row."""
    quarantine, withheld = Quarantine(KEYS, 4), []
    text = refuse(quarantine, withheld.append, line, request, stamp, Refusal(reason))
    batch = quarantine.drain()
    return text, withheld, None if batch is None else batch.batch.to_pylist()[0]


@given(LEVELS_SENT, CONSENTS, st.sampled_from([CODE, sample()]), REASONS, st.integers(0, 40), st.booleans())
@settings(max_examples=150)
def test_no_body_is_kept_without_consent_to_all_of_it(
    level: Any, consent: Any, document: dict[str, Any], reason: Reason, cut: int, is_first: bool
) -> None:
    stamp = {**STAMP, "telemetry_level": level, "snippet_consent": consent}
    body = {k: v for k, v in document.items() if k != "collector"}
    line = json.dumps({"collector": stamp, **body} if is_first else {**body, "collector": stamp}).encode()
    line = line[: len(line) - cut]
    text, withheld, row = refused(line, None, None, reason)
    assert (row is None) == bool(withheld)
    if row is None:
        assert level not in ("all", "error", "crash")
        assert withheld == [text]
        return
    if row["body"] is not None:
        assert level == "all"
        assert consent is True or (consent in (False, None) and document is not CODE and reason is Reason.INVALID_EVENT)
        assert reason is not Reason.PAYLOAD_TOO_LARGE
        assert not cut or is_first, "the stamp was read whole"


@given(st.sampled_from([*PERMITTED, "everything", None]), st.sampled_from([True, False, None]), st.binary(max_size=20))
def test_the_stamp_of_a_request_counts_whatever_the_line_says(
    level: str | None, consent: bool | None, junk: bytes
) -> None:
    stamp = Collector("2026-03-29T10:00:00+00:00", "8.8.8.8", level, consent)
    request = RawRequest("2026-03-29T10:00:00+00:00", "8.8.8.8", level, consent, None, None, b"")
    line = junk + b'{"collector": {"telemetry_level": "all", "snippet_consent": true}'
    text, withheld, row = refused(line, request, stamp, Reason.MALFORMED_PAYLOAD)
    assert text == "2026-03-29T10:00:00+00:00"
    if PERMITTED.get(level or "", 0) == 0:
        assert (withheld, row) == ([text], None)
    else:
        assert (row["body"] is not None) == (level == "all" and consent is True)


@pytest.mark.parametrize(
    ("line", "request_time", "expected"),
    [
        (b'{"collector": {"received_at": "2026-01-02T00:00:00Z"}', None, "2026-01-02T00:00:00+00:00"),
        (b'junk "received_at": "2026-01-02T00:00:00Z"', None, "2026-01-02T00:00:00+00:00"),
        (b'junk "received_at": "1999-01-02T00:00:00Z"', None, None),
        (b"junk", "2026-05-06T00:00:00+00:00", "2026-05-06T00:00:00+00:00"),
        (b'junk "received_at": "2026-01-02T00:00:00Z"', "2026-05-06T00:00:00+00:00", "2026-05-06T00:00:00+00:00"),
        (b"{}", "2026-05-06T00:00:00+00:00", "2026-05-06T00:00:00+00:00"),
        (b"junk", None, None),
    ],
)
def test_the_receive_time_is_the_stamps_else_the_requests(
    line: bytes, request_time: str | None, expected: str | None
) -> None:
    request = None if request_time is None else RawRequest(request_time, None, None, None, None, None, b"", False)
    assert refused(line, request, None, Reason.MALFORMED_PAYLOAD)[0] == expected


def test_only_a_request_with_a_stamp_goes_aside_with_its_event() -> None:
    request = RawRequest("2026-03-29T10:00:00+00:00", None, "all", True, None, None, b"body")
    assert payload_of(b"line", request).request is request
    assert payload_of(b"line", request._replace(is_stamped=False)).request is None
    assert payload_of(b"line", None).request is None


MONTHS = [f"{year}-{month:02d}" for year in (2025, 2026) for month in range(1, 13)]


@given(st.sets(st.sampled_from(MONTHS)), st.lists(st.none() | st.datetimes(datetime(2024, 12, 30), datetime(2027, 1, 2), timezones=st.just(UTC)), max_size=8))  # fmt: skip
def test_events_of_months_without_a_key_are_found(months: set[str], moments: list[datetime | None]) -> None:
    ring = KeyRing(bytes(32), bytes(32), dict.fromkeys(months, bytes(32)))
    found = outside_ring(step_keys_of(ring).quarantine, pa.array(moments, TIMESTAMP)).tolist()
    assert found == [moment is not None and f"{moment:%Y-%m}" not in months for moment in moments]


@pytest.mark.parametrize(
    "stamp", ["all", 7, ["all"], {**STAMP, "telemetry_level": ["all"]}, {**STAMP, "telemetry_level": 3}]
)
def test_a_stamp_that_cannot_be_read_is_seen_and_leaves_no_bytes(stamp: Any) -> None:
    """Its user did not say off: somebody shall see that stamps are wrong, and nothing of what came with them."""
    line = json.dumps({**sample(), "collector": stamp}).encode()
    _, withheld, row = refused(line, None, None, Reason.INVALID_EVENT)
    assert (withheld, row["body"], row["payload_bytes"]) == ([], None, len(line))


def test_a_stamp_that_says_off_or_says_nothing_withholds() -> None:
    for stamp in (
        {**STAMP, "telemetry_level": "off"},
        {**STAMP, "telemetry_level": "off", "client_ip": 7},
        STAMP,
        None,
    ):
        _, withheld, row = refused(json.dumps({"collector": stamp}).encode(), None, None, Reason.INVALID_EVENT)
        assert (len(withheld), row) == (1, None)
