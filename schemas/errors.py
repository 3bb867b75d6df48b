"""Every error that this project raises on purpose.

Two families, treated differently everywhere:

- `RejectedEvent`: the data is at fault. It is caught where it is raised, the
  payload is quarantined or withheld, and the run goes on.
- `PipelineError`: the operator, the keys, the storage or the schemas are at
  fault. It stops the run; a job prints its one line and exits non-zero.

No message of either holds an address, an identifier or code.
"""

from enum import StrEnum

from schemas.locations import without_secrets


class Reason(StrEnum):
    """Why a payload or event is quarantined: the closed set of `quarantine.reason`."""

    MALFORMED_PAYLOAD = "malformed_payload"
    INVALID_EVENT = "invalid_event"
    INVALID_VALUE = "invalid_value"
    MISSING_RECEIVED_AT = "missing_received_at"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNREADABLE_CONTAINER = "unreadable_container"
    FOREIGN_SCHEMA = "foreign_schema"
    DAMAGED_BLOCK = "damaged_block"
    INVALID_RECORD = "invalid_record"
    OUTSIDE_KEY_RING = "outside_key_ring"
    UNPROCESSABLE = "unprocessable"


class TelemetryError(Exception):
    """Anything this project raises on purpose."""


class RejectedEvent(TelemetryError):
    """The data is at fault; raised by decoding, caught in the same step.

    `reason` is what the quarantine row says; `field` and `expected` name the member that is wrong and what
    it must be, in words of the contract and never in words of the payload.
    """

    reason = Reason.INVALID_EVENT

    def __init__(self, message: str, field: str | None = None, expected: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.expected = expected


class MalformedPayload(RejectedEvent):
    """The bytes are not JSON, or not the object or array a client sends."""

    reason = Reason.MALFORMED_PAYLOAD


class InvalidEvent(RejectedEvent):
    """JSON of another shape than an event: a missing name, a wrong type."""

    reason = Reason.INVALID_EVENT


class MissingReceiveTime(RejectedEvent):
    """No collector stamp, or none that is a time between 2000 and 2100."""

    reason = Reason.MISSING_RECEIVED_AT


class PayloadTooLarge(RejectedEvent):
    """A body that grows past the limit when it is decompressed."""

    reason = Reason.PAYLOAD_TOO_LARGE


class PipelineError(TelemetryError):
    """The run cannot go on; a job prints this in one line and exits with `exit_code`.

    `books` are lines for people about what the run did until then, printed after it.
    Passwords and signatures of URLs never stand in its text, whoever raises it.
    """

    exit_code = 1
    books = ""

    def __init__(self, *told: object) -> None:
        super().__init__(*(without_secrets(part) if isinstance(part, str) else part for part in told))


class InvalidOptions(PipelineError):
    """A flag that is unknown, contradictory, or names what cannot be used."""


class IncompatibleSchema(PipelineError):
    """A schema file that is wrong in itself or breaks what was released."""


class KeyUnavailable(PipelineError):
    """A key that is not in the ring, was destroyed, or does not open the data."""


class StorageUnavailable(PipelineError):
    """A path that cannot be read or written."""


class SourceUnavailable(PipelineError):
    """An endless source that refuses, or no longer holds what has not been read."""


class TopicReplaced(SourceUnavailable):
    """A topic that is gone, or another one than that of which positions are kept."""


class RunnerUnavailable(PipelineError):
    """A runner that does not start, or ends by itself."""


class OutputInUse(PipelineError):
    """Another run holds the output's claim."""


class UnbalancedBooks(PipelineError):
    """Events were lost or made up: the ledger does not add up."""


class UnusableInput(PipelineError):
    """The run is done and its books balance, but nothing landed, or too much of the input was refused."""

    exit_code = 3


class InternalError(PipelineError):
    """A bug of ours, told as its type and place: its message may quote data and is not passed on."""
