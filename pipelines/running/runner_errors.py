"""What a runner raises -> the PipelineError that a step raised, or one that says no more than its type."""

import re

import schemas.errors
from schemas.errors import InternalError, PipelineError, RunnerUnavailable

_FROM_WORKER = re.compile(r"^(?:[\w.]+\.)?(\w+): (.*?)(?: \[while running .*)?$", re.MULTILINE)
_ENDED = re.compile(r"Pipeline \S+ failed in state (\w+)")
"""How portable runners say that an engine gave a job up."""


def pipeline_error(error: Exception) -> PipelineError:
    """The PipelineError that a runner passed on: itself, or as text with its class's name in it.

    An engine that gave the job up without one, as when workers die and it tries nothing again, is RunnerUnavailable.
    Anything else becomes an InternalError of its type alone; its text may quote data.
    """
    text = str(error)
    if isinstance(error, PipelineError):
        return type(error)(text.partition(" [while running ")[0])
    for name, message in reversed(_FROM_WORKER.findall(text)):
        kind = getattr(schemas.errors, name, None)
        if isinstance(kind, type) and issubclass(kind, PipelineError):
            return kind(message)
    if ended := _ENDED.search(text):
        return RunnerUnavailable(f"the engine gave the job up ({ended[1]}); its own log says why; run the same again")
    return InternalError(f"{type(error).__name__} in the runner")
