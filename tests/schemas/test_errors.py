"""Each class of error has its exit code: what a scheduler does about it is decided here and nowhere else."""

import pickle

import pytest

from schemas import errors
from schemas.errors import ExitCode, PipelineError

CODES = {
    "PipelineError": ExitCode.REFUSED,
    "InvalidOptions": ExitCode.REFUSED,
    "IncompatibleSchema": ExitCode.REFUSED,
    "KeyUnavailable": ExitCode.REFUSED,
    "StorageRefused": ExitCode.REFUSED,
    "MessagesLost": ExitCode.REFUSED,
    "TopicReplaced": ExitCode.REFUSED,
    "UnfinishedChange": ExitCode.REFUSED,
    "UnusableInput": ExitCode.UNUSABLE_INPUT,
    "NothingToRead": ExitCode.NOTHING_TO_DO,
    "UnbalancedBooks": ExitCode.UNBALANCED_BOOKS,
    "NotProven": ExitCode.NOT_PROVEN,
    "InternalError": ExitCode.BUG,
    "StorageUnavailable": ExitCode.TRY_AGAIN,
    "SourceUnavailable": ExitCode.TRY_AGAIN,
    "RunnerUnavailable": ExitCode.TRY_AGAIN,
    "OutputInUse": ExitCode.TRY_AGAIN,
}


def kinds() -> dict[str, type[PipelineError]]:
    return {
        n: k for n, k in vars(errors).items() if isinstance(k, type) and issubclass(k, errors.PipelineError)
    }  # fmt: skip


def test_each_class_has_its_code() -> None:
    assert {name: kind.exit_code for name, kind in kinds().items()} == CODES


def test_codes_that_were_there_before_mean_the_same() -> None:
    assert (ExitCode.DONE, ExitCode.REFUSED, ExitCode.UNUSABLE_INPUT, ExitCode.INTERRUPTED) == (0, 1, 3, 130)


def test_no_code_is_one_of_a_shell() -> None:
    """2 is wrong usage of a shell's builtin, 126 and 127 a command that cannot be run, 128 and more a signal."""
    assert not {2, 126, 127, 128} & {*ExitCode}
    assert [code for code in ExitCode if code > 128] == [ExitCode.INTERRUPTED]


@pytest.mark.parametrize("name", sorted(CODES))
def test_an_error_keeps_its_kind_on_the_way_from_a_worker(name: str) -> None:
    found = pickle.loads(pickle.dumps(kinds()[name]("told")))
    assert (type(found).__name__, str(found), found.exit_code) == (name, "told", CODES[name])
