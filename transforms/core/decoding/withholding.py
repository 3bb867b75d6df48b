"""What withholds a whole event, by the dataset in which it counts, and how much code an event of another one holds."""

from operator import attrgetter

from schemas.registry import EXTENSION_EVENTS, LEVELS, event_schemas, load
from transforms.core.consent import Collector
from transforms.core.decoding.wire import Envelope, Properties, attribute

SNIPPET_RANK = LEVELS.index("snippet")
_NEEDED = {name: LEVELS.index(load(name).level) for name in (*event_schemas(), EXTENSION_EVENTS)}
_code_values = attrgetter(*(attribute(s)[1] for f in load("snippets").fields if f.role for s in f.sources))
_NO_CODE = _code_values(Properties())


def withheld_by(primary: str, rank: int, stamp: Collector) -> str | None:
    """An event's user's level, or the missing consent for code; None where it lands."""
    needed = _NEEDED[primary]
    if rank < min(needed, SNIPPET_RANK - 1):
        return stamp.telemetry_level
    if needed == SNIPPET_RANK and not stamp.snippet_consent:
        return "snippet"
    return None


def values_of_code(event: Envelope) -> int:
    """How many values of an event are code, whatever it is about."""
    properties = event.data.baseData.properties
    if properties is None or (values := _code_values(properties)) == _NO_CODE:
        return 0
    return sum(value is not None for value in values)
