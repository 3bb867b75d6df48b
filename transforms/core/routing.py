"""Which dataset an event lands in, by its wire name and the rules of `schemas/avro`."""

import re
from dataclasses import dataclass
from functools import lru_cache

from schemas.registry import Route, event_schemas
from transforms.core.wire import Envelope, attribute

_KIND = re.compile(r"[A-Za-z][A-Za-z._-]{0,63}")


@dataclass(frozen=True)
class Target:
    """A dataset, and whether the event counts there (primary) or is only mirrored (attached)."""

    dataset: str
    route: Route


@lru_cache(maxsize=4096)  # names come from clients: bounded, whatever they send
def candidates(name: str) -> tuple[Target, ...]:
    """Every target whose rule names this event; rules with a condition first."""
    found = [
        Target(dataset, route)
        for dataset, schema in event_schemas().items()
        for route in schema.events
        if route.name == name or (route.name.endswith("*") and name.startswith(route.name[:-1]))
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


def outside_kind(name: str) -> str:
    """The name under which an event outside the contract is counted.

    Names come from clients and could hold anything: only short ones of plain
    letters stand in the ledger, without their digits; others are `other`.
    """
    name = re.sub(r"\d+", "", name)
    return name if _KIND.fullmatch(name) else "other"
