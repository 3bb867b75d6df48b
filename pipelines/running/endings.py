"""How a job ended: its exit code, and one line about it."""

from typing import NamedTuple

from pipelines.running.interrupts import TOLD, was_interrupted
from schemas.errors import ExitCode, PipelineError


class Ending(NamedTuple):
    """An exit code; `error` is one line for people, None where all is done. It quotes no payload and no secret."""

    code: ExitCode
    error: str | None = None


def ending_of(error: BaseException | None) -> Ending:
    """What an error that reached a job's end stands for; what came of an interrupt is that.

    Of what is none of our errors the class alone is told: its text may quote data.
    """
    if error is None:
        return Ending(ExitCode.DONE)
    if isinstance(error, KeyboardInterrupt) or was_interrupted():
        return Ending(ExitCode.INTERRUPTED, TOLD)
    if isinstance(error, PipelineError):
        return Ending(ExitCode(error.exit_code), " ".join(str(error).split()))
    return Ending(ExitCode.BUG, f"{type(error).__name__}; this is a bug of this program")
