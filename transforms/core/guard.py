"""Keeps payloads out of exceptions: runners log and pass on whatever a step raises."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import InternalError, TelemetryError

FAILURES: list[TelemetryError] = []
"""Errors that steps of this process ended with, in order. Prism may hang where a timer's bundle fails and never report
it (2.77: with two of four full disks), so the job looks here."""


def bug_of(cause: BaseException) -> str:
    """An exception's type and the line of ours that it came from; none of its text (pyarrow quotes values)."""
    frames = traceback.extract_tb(cause.__traceback__)
    own = [f for f in frames if "/transforms/" in f.filename or "/schemas/" in f.filename] or frames
    place = f" at {own[-1].filename.rsplit('/', 1)[-1]}:{own[-1].lineno}" if own else ""
    return f"{type(cause).__name__}{place}"


@contextmanager
def payload_free_errors() -> Iterator[None]:
    """Inside, our own errors pass, without the chain of what they were raised over. Any other exception becomes an
    InternalError with its type and the line it came from, and none of its text.
    """
    try:
        yield
    except TelemetryError as ours:
        FAILURES.append(ours)
        raise ours from None  # what it was raised over may quote data, and a runner logs the whole chain
    except Exception as cause:  # noqa: BLE001 - whatever it is, its text must not pass: pyarrow, json and codecs quote data
        error = InternalError(f"{bug_of(cause)}; this is a bug of the pipeline")
        FAILURES.append(error)
        raise error from None
