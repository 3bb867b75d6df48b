"""What withholds a whole event, by the dataset in which it counts."""

from schemas.registry import EXTENSION_EVENTS, LEVELS, event_schemas, load
from transforms.core.consent import Collector

SNIPPET_RANK = LEVELS.index("snippet")
_NEEDED = {name: LEVELS.index(load(name).level) for name in (*event_schemas(), EXTENSION_EVENTS)}


def withheld_by(primary: str, rank: int, stamp: Collector) -> str | None:
    """An event's user's level, or the missing consent for code; None where it lands."""
    needed = _NEEDED[primary]
    if rank < min(needed, SNIPPET_RANK - 1):
        return stamp.telemetry_level
    if needed == SNIPPET_RANK and not stamp.snippet_consent:
        return "snippet"
    return None
