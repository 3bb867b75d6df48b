"""Which datasets an event lands in, by its contract name and the rules of `schemas/avro`."""

from dataclasses import dataclass
from functools import lru_cache

from schemas.registry import event_schemas
from schemas.routes import Route
from transforms.core.decoding.wire import Envelope, attribute

MOST_NAME_CHARS = 200
"""No route knows a longer name, and none is remembered."""


@dataclass(frozen=True)
class Target:
    """A dataset, and the rule that sends an event there."""

    dataset: str
    route: Route


def candidates(contract_name: str) -> tuple[Target, ...]:
    """Every target whose rule names this event; rules with a condition first."""
    return _candidates(contract_name) if len(contract_name) <= MOST_NAME_CHARS else ()


@lru_cache(maxsize=4096)  # names come from clients: bounded, whatever they send
def _candidates(contract_name: str) -> tuple[Target, ...]:
    found = [
        Target(dataset, route)
        for dataset, schema in event_schemas().items()
        for route in schema.events
        if route.matches(contract_name)
    ]
    return tuple(sorted(found, key=lambda t: t.route.source is None))


def targets(contract_name: str, event: Envelope) -> tuple[str | None, tuple[str, ...]]:
    """The primary dataset, in which the event counts, and the attached ones, which hold a copy of it.

    The primary dataset is None where the event is outside the contract.
    """
    named = candidates(contract_name)
    if len(named) == 1 and named[0].route.source is None:
        return named[0].dataset, ()
    fitting = [t for t in named if t.route.source is None or _holds(t.route, event)]
    primary = next((t.dataset for t in fitting if not t.route.attached), None)
    beside = (t for t in fitting if t.route.attached and t.route.beside in (None, primary))
    return primary, tuple(t.dataset for t in beside)


def _holds(route: Route, event: Envelope) -> bool:
    group, name = attribute(route.source or "")
    value = getattr(getattr(event.data.baseData, group), name, None)
    if route.equals is not None:
        return bool(value == route.equals)
    if route.present:
        return bool(value)
    return route.contains is not None and route.contains in (value or "")
