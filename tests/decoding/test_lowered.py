"""The smaller consent of then and now counts; neither is ever raised."""

import json

import pytest

from schemas.registry import PERMITTED
from tests.conftest import sample
from transforms.core.blocks import RawRequest
from transforms.core.consent import rank_of
from transforms.core.decoding.envelopes import decode_event
from transforms.core.decoding.lowered import Consent, lowered
from transforms.core.quarantine.rows import Payload


def line(level: str | None, consent: bool | None) -> Payload:
    document = sample()
    document["collector"] |= {"telemetry_level": level, "snippet_consent": consent}
    return Payload(json.dumps(document).encode())


def request(level: str | None, consent: bool | None) -> Payload:
    return Payload(b"{}", RawRequest("2026-03-29T10:00:00+00:00", None, level, consent, None, None, b"{}"))


@pytest.mark.parametrize("make", [line, request])
@pytest.mark.parametrize("then", [*PERMITTED, "unknown", None])
@pytest.mark.parametrize("now", [*PERMITTED])
def test_the_smaller_level_counts(make, then: str | None, now: str) -> None:  # type: ignore[no-untyped-def]
    found = lowered(make(then, True), Consent(now)).request
    assert PERMITTED.get(found.telemetry_level, 0) == min(PERMITTED.get(then or "", 0), PERMITTED[now])


@pytest.mark.parametrize("make", [line, request])
@pytest.mark.parametrize(("then", "now"), [(True, True), (True, False), (False, True), (None, True)])
def test_code_needs_both(make, then: bool | None, now: bool) -> None:  # type: ignore[no-untyped-def]
    assert lowered(make("all", then), Consent("all", now)).request.snippet_consent is bool(then and now)


def test_a_line_keeps_its_bytes_and_its_time() -> None:
    payload = line("all", True)
    found = lowered(payload, Consent("error"))
    assert found.line == payload.line
    stamp = decode_event(payload.line).collector
    assert stamp is not None
    assert found.request is not None
    assert (found.request.received_at, found.request.client_ip) == (stamp.received_at, stamp.client_ip)
    assert rank_of(stamp) == PERMITTED["all"]


@pytest.mark.parametrize("data", [b"{", b"{}", b'{"data": {"baseData": {}}}'])
def test_what_is_no_event_stays_as_it_is(data: bytes) -> None:
    assert lowered(Payload(data), Consent("off")) == Payload(data)
