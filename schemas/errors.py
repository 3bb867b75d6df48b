"""Every error that this project raises on purpose.

Two families, treated differently everywhere:

- `RejectedEvent`: the data is at fault. It is caught where it is raised, the
  payload is quarantined or withheld, and the run goes on.
- `PipelineError`: the operator, the keys, the storage or the schemas are at
  fault. It stops the run; a job prints its one line and exits non-zero.

No message of either holds an address, an identifier or code.
"""

from enum import IntEnum, StrEnum

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


class ExitCode(IntEnum):
    """How a job ended, for whoever started it: `docs/schedule.md` says what a scheduler does about each.

    2 is what Python itself and shells use for wrong usage, so it is not used here. 70 and 75 are those of sysexits.h:
    EX_SOFTWARE and EX_TEMPFAIL, which systemd knows by name.
    """

    DONE = 0
    REFUSED = 1
    UNUSABLE_INPUT = 3
    NOTHING_TO_DO = 4
    UNBALANCED_BOOKS = 5
    NOT_PROVEN = 6
    BUG = 70
    TRY_AGAIN = 75
    INTERRUPTED = 130


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

    exit_code = ExitCode.REFUSED
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
    """A path that cannot be read or written now; the same run may go through later."""

    exit_code = ExitCode.TRY_AGAIN


class StorageRefused(StorageUnavailable):
    """A path that will be refused again: no permission, no such bucket, not a folder, a damaged file of the output."""

    exit_code = ExitCode.REFUSED


class NothingToRead(StorageUnavailable):
    """An input in which no file is: there is nothing to do, and nothing is written."""

    exit_code = ExitCode.NOTHING_TO_DO


class SourceUnavailable(PipelineError):
    """An endless source that refuses, or cannot be reached."""

    exit_code = ExitCode.TRY_AGAIN


class MessagesLost(SourceUnavailable):
    """A source that no longer holds what has not been read; only an operator's flag says how to go on."""

    exit_code = ExitCode.REFUSED


class TopicReplaced(SourceUnavailable):
    """A topic that is gone, or another one than that of which positions are kept."""

    exit_code = ExitCode.REFUSED


class RunnerUnavailable(PipelineError):
    """A runner that does not start, or ends by itself."""

    exit_code = ExitCode.TRY_AGAIN


class OutputInUse(PipelineError):
    """Another run holds the output's claim."""

    exit_code = ExitCode.TRY_AGAIN


class UnfinishedChange(PipelineError):
    """A change of landed files was cut off and must be finished before the output is written."""


class UnbalancedBooks(PipelineError):
    """Events were lost or made up: the ledger does not add up."""

    exit_code = ExitCode.UNBALANCED_BOOKS


class NotProven(PipelineError):
    """A month's keys are gone as far as can be shown, and a holder's file was declared lost: nobody knows of that."""

    exit_code = ExitCode.NOT_PROVEN


class UnusableInput(PipelineError):
    """The run is done and its books balance, but nothing landed, or too much of the input was refused."""

    exit_code = ExitCode.UNUSABLE_INPUT


class InternalError(PipelineError):
    """A bug of ours, told as its type and place: its message may quote data and is not passed on."""

    exit_code = ExitCode.BUG
