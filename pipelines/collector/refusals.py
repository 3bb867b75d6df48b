"""Requests that are refused as a whole."""

from schemas.errors import TelemetryError


class Refused(TelemetryError):
    """A request that is answered with `status` and a short text; no part of it is stored.

    The text is never JSON: `applicationinsights` gives a batch up, retriable
    status or not, where the answer is JSON without `errors`.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def overloaded() -> Refused:
    """More is in memory than there may be."""
    return Refused(503, "overloaded, send it again later")


def unavailable() -> Refused:
    """What was sent could not be made durable."""
    return Refused(503, "cannot store it now, send it again later")
