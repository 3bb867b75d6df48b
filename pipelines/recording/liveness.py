"""Whether a run whose record says `running` still runs: a killed one could not say so."""

from typing import Any

from pipelines.recording.record import RUNNING, Record
from schemas.errors import OutputInUse, StorageUnavailable
from transforms.core.output.claim_file import ClaimFile
from transforms.core.output.holder import is_dead, is_here
from transforms.core.output.layout import Output

INTERRUPTED = "interrupted"
UNKNOWN = "unknown"


def outcome_now(record: Record, output: Output) -> str:
    """The record's outcome; of one that says `running`: `running`, `interrupted`, or `unknown`.

    A process of this machine is looked up. One of another machine runs no more where the output's claim is not its
    own; where it is, only the next run finds out whether its heart still beats.
    """
    if record.outcome != RUNNING or record.process is None:
        return record.outcome
    if is_dead(record.process):
        return INTERRUPTED
    holder = _holder(output)
    if holder is None or any(holder.get(name) != value for name, value in record.process.items()):
        return INTERRUPTED
    return RUNNING if is_here(record.process) else UNKNOWN


def _holder(output: Output) -> dict[str, Any] | None:
    """Whose claim it is; None where there is none, or none that can be understood."""
    try:
        return ClaimFile(output).read()
    except (StorageUnavailable, OutputInUse):
        return None
