"""What a runner raises -> the PipelineError that a step raised, or one that says no more than its type."""

import re

import schemas.errors
from schemas.errors import InternalError, PipelineError

_FROM_WORKER = re.compile(r"^(?:[\w.]+\.)?(\w+): (.*?)(?: \[while running .*)?$", re.MULTILINE)


def pipeline_error(error: Exception) -> PipelineError:
    """The PipelineError that a runner passed on: itself, or as text with its class's name in it.

    Anything else becomes an InternalError of its type alone; its text may quote data.
    """
    text = str(error)
    if isinstance(error, PipelineError):
        return type(error)(text.partition(" [while running ")[0])
    for name, message in reversed(_FROM_WORKER.findall(text)):
        kind = getattr(schemas.errors, name, None)
        if isinstance(kind, type) and issubclass(kind, PipelineError):
            return kind(message)
    return InternalError(f"{type(error).__name__} in the runner")
