"""Payloads of people who permit less now than when they sent them."""

from typing import NamedTuple

from schemas.errors import RejectedEvent
from schemas.registry import PERMITTED
from transforms.core.blocks import RawRequest
from transforms.core.decoding.envelopes import decode_event
from transforms.core.quarantine.rows import Payload


class Consent(NamedTuple):
    """What is permitted now: a level of PERMITTED, and code."""

    telemetry_level: str = "all"
    snippet_consent: bool = True


def lowered(payload: Payload, now: Consent) -> Payload:
    """The payload under the smaller of the consent that it bears and the one of now.

    A line gets a request around it, whose stamp counts more than its own. A line that is no event stays as it is: it
    cannot land.
    """
    request = payload.request or _request_of(payload.line)
    if request is None:
        return payload
    level = min(request.telemetry_level or "", now.telemetry_level, key=lambda word: PERMITTED.get(word, 0))
    consent = bool(request.snippet_consent and now.snippet_consent)
    return Payload(payload.line, request._replace(telemetry_level=level, snippet_consent=consent))


def _request_of(line: bytes) -> RawRequest | None:
    """A request with a line's own stamp."""
    try:
        stamp = decode_event(line).collector
    except RejectedEvent:
        return None
    if stamp is None or stamp.received_at is None:
        return None
    return RawRequest(
        stamp.received_at, stamp.client_ip, stamp.telemetry_level, stamp.snippet_consent, None, None, line
    )
