"""Which dataset an event lands in, by its wire name and the rules of `schemas/avro`."""

from dataclasses import dataclass
from functools import lru_cache

from schemas.registry import event_schemas
from schemas.routes import Route
from transforms.core.decoding.event_names import MOST_NAME_CHARS
from transforms.core.decoding.wire import Envelope, attribute


@dataclass(frozen=True)
class Target:
    """A dataset, and whether the event counts there (primary) or is only mirrored (attached)."""

    dataset: str
    route: Route


def candidates(name: str) -> tuple[Target, ...]:
    """Every target whose rule names this event; rules with a condition first."""
    return _candidates(name) if len(name) <= MOST_NAME_CHARS else ()


@lru_cache(maxsize=4096)  # names come from clients: bounded, whatever they send
def _candidates(name: str) -> tuple[Target, ...]:
    found = [
        Target(dataset, route)
        for dataset, schema in event_schemas().items()
        for route in schema.events
        if route.names(name)
    ]
    return tuple(sorted(found, key=lambda t: t.route.source is None))


def targets(name: str, event: Envelope) -> tuple[str | None, tuple[str, ...]]:
    """The primary dataset (None: outside the contract) and the attached ones."""
    named = candidates(name)
    if len(named) == 1 and named[0].route.source is None:
        return named[0].dataset, ()
    fitting = [t for t in named if t.route.source is None or _holds(t.route, event)]
    primary = next((t.dataset for t in fitting if not t.route.attached), None)
    return primary, tuple(t.dataset for t in fitting if t.route.attached)


def _holds(route: Route, event: Envelope) -> bool:
    group, name = attribute(route.source or "")
    value = getattr(getattr(event.data.baseData, group), name, None)
    if route.equals is not None:
        return bool(value == route.equals)
    return route.contains is not None and route.contains in (value or "")
