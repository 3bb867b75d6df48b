"""One made-up event, before its envelope."""

import random
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass
class Event:
    """One event before its envelope, and where it must end up."""

    name: str
    dataset: str | None
    properties: dict[str, str]
    measurements: dict[str, Any] = field(default_factory=dict)
    at_ms: int = 0
    mirrors: tuple[str, ...] = ()
    exception: tuple[str, str, str] | None = None
    is_invalid: bool = False


def new_uuid(rng: random.Random) -> str:
    """A random uuid of version 4."""
    return str(UUID(int=rng.getrandbits(128), version=4))
