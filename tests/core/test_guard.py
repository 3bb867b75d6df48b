"""The guard: no text of an exception passes it, neither in the message nor in the chain of causes."""

import json
import traceback

import pyarrow as pa
import pytest

from schemas.errors import InternalError, KeyUnavailable, MalformedPayload, TelemetryError
from transforms.core import guard
from transforms.core.decoding.loose_json import text_of
from transforms.core.guard import bug_of, payload_free_errors

SECRET = "zofia@example.com"


@pytest.fixture(autouse=True)
def _no_failures_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "FAILURES", [])


def quoting_failures() -> list[BaseException]:
    """Exceptions that quote what they were given, as libraries raise them."""
    found: list[BaseException] = []
    for failing in (
        lambda: pa.array([SECRET]).cast(pa.int64()),
        lambda: json.loads(f'{{"a": {SECRET}'),
        lambda: int(SECRET),
        lambda: {}[SECRET],
        lambda: SECRET.encode("utf-16").decode("ascii"),
        lambda: getattr(0, SECRET),
        lambda: text_of(SECRET),  # type: ignore[arg-type]
    ):
        try:
            failing()
        except Exception as error:  # noqa: BLE001 - whatever libraries raise
            found.append(error)
    assert len(found) == 7
    return found


@pytest.mark.parametrize("cause", quoting_failures(), ids=lambda e: type(e).__name__)
def test_text_of_other_exceptions_stays_inside(cause: Exception) -> None:
    with pytest.raises(InternalError) as passed, payload_free_errors():
        raise cause
    shown = "".join(traceback.format_exception(passed.value))
    assert SECRET not in shown
    assert type(cause).__name__ in str(passed.value)
    assert [passed.value] == guard.FAILURES


def test_our_own_error_passes_without_what_it_was_raised_over() -> None:
    with pytest.raises(KeyUnavailable) as passed, payload_free_errors():
        try:
            raise ValueError(SECRET)
        except ValueError as cause:
            raise KeyUnavailable("no key for 2026-03") from cause
    assert SECRET not in "".join(traceback.format_exception(passed.value))
    assert str(passed.value) == "no key for 2026-03"


def test_interrupts_pass_and_are_no_failures() -> None:
    with pytest.raises(KeyboardInterrupt), payload_free_errors():
        raise KeyboardInterrupt
    assert guard.FAILURES == []


def test_failures_are_kept_in_their_order() -> None:
    errors: list[TelemetryError] = [MalformedPayload("one"), KeyUnavailable("two")]
    for error in errors:
        with pytest.raises(TelemetryError), payload_free_errors():
            raise error
    assert errors == guard.FAILURES


def test_a_bug_is_named_by_the_innermost_line_of_ours() -> None:
    with pytest.raises(AttributeError) as failed:
        text_of(7)  # type: ignore[arg-type]
    assert bug_of(failed.value).startswith("AttributeError at loose_json.py:")
    assert bug_of(ValueError("never raised")) == "ValueError"
