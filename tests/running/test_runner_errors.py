"""What a runner makes of a step's error is found again: its class and text, and of anything else no text at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.running.runner_errors import pipeline_error
from schemas import errors
from schemas.errors import InternalError, KeyUnavailable, PipelineError, RunnerUnavailable, StorageUnavailable

KINDS = sorted(
    (
        k
        for k in vars(errors).values()
        if isinstance(k, type) and issubclass(k, PipelineError) and k is not PipelineError
    ),
    key=lambda k: k.__name__,
)
LINES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="[@?/:="), min_size=1
).map(str.strip)


@given(kind=st.sampled_from(KINDS), text=LINES.filter(bool), place=st.booleans(), package=st.booleans())
def test_an_error_is_found_in_a_workers_traceback(
    kind: type[PipelineError], text: str, place: bool, package: bool
) -> None:
    name = f"schemas.errors.{kind.__name__}" if package else kind.__name__
    told = f"{name}: {text}" + (" [while running 'Ingest/Write/Write-ptransform-12']" if place else "")
    trace = f'Traceback (most recent call last):\n  File "x.py", line 1, in process\n    do()\n{told}\n'
    found = pipeline_error(RuntimeError(f"bundle failed: {trace}"))
    assert type(found) is kind
    assert str(found) == text


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_that_comes_as_itself_loses_the_runners_words(kind: type[PipelineError]) -> None:
    found = pipeline_error(kind("cannot write x [while running 'Ingest/Write']"))
    assert (type(found), str(found)) == (kind, "cannot write x")


def test_the_last_error_of_a_chain_is_the_one() -> None:
    chain = (
        "schemas.errors.StorageUnavailable: first\n\nDuring handling of the above exception, another exception occurred:\n\n"
        "Traceback (most recent call last):\nschemas.errors.KeyUnavailable: second [while running 'x']\n"
    )
    found = pipeline_error(RuntimeError(chain))
    assert (type(found), str(found)) == (KeyUnavailable, "second")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("ValueError: secret@example.com is no number"),
        RuntimeError("InvalidEvent: secret@example.com"),  # data errors never leave a step
        RuntimeError("TelemetryError: secret@example.com"),
        RuntimeError("Reason: secret@example.com"),
        RuntimeError("without_secrets: secret@example.com"),
        RuntimeError("x StorageUnavailable: secret@example.com"),
        KeyError("secret@example.com"),
        RuntimeError(""),
    ],
)
def test_of_anything_else_only_the_type_is_told(error: Exception) -> None:
    found = pipeline_error(error)
    assert type(found) is InternalError
    assert str(found) == f"{type(error).__name__} in the runner"


def test_a_password_in_a_workers_words_is_not_passed_on() -> None:
    found = pipeline_error(RuntimeError("StorageUnavailable: cannot read https://u:hunter2@h/x"))
    assert type(found) is StorageUnavailable
    assert "hunter2" not in str(found)


def test_an_engine_that_gives_up_without_an_error_of_ours_may_be_tried_again() -> None:
    told = (
        "Pipeline BeamApp-root-1_2 failed in state FAILED: io.grpc.StatusRuntimeException: CANCELLED: client cancelled"
    )
    found = pipeline_error(RuntimeError(told))
    assert (type(found), found.exit_code) == (RunnerUnavailable, errors.ExitCode.TRY_AGAIN)
    assert "gave the job up (FAILED)" in str(found)
    assert "grpc" not in str(found)
    ours = pipeline_error(RuntimeError(f"{told}\nschemas.errors.KeyUnavailable: no key [while running 'x']"))
    assert type(ours) is KeyUnavailable
