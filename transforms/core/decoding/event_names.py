"""Names of events: without the prefix of the extension that sent them, and as they are counted.

`copilot/ghostText.shown`, `GitHub.copilot-chat/copilot-nes/provideInlineEdit` and
the bare names are the same events. Names that hold a slash of their own
(`applyPatch/trackEditSurvival`) must not fall together, so a prefix is cut off
only where what is left is known.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from schemas.known_values import Vocabulary
from schemas.registry import event_schemas
from schemas.shapes import OTHER

MOST_NAME_CHARS = 200
"""A longer name is no event's that is known, and is not remembered."""
_MOST_PREFIXES = 2
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)


def contract_name(name: str) -> str:
    """The name by which the contract routes an event, where it does; else the name as it is."""
    return name if len(name) > MOST_NAME_CHARS else _contract_name(name)


@lru_cache(maxsize=4096)  # names come from clients: bounded, whatever they send
def _contract_name(name: str) -> str:
    return next(filter(_is_routed, _endings(name)), name)


@lru_cache(maxsize=4096)
def _is_routed(name: str) -> bool:
    return any(route.names(name) for schema in event_schemas().values() for route in schema.events)


def _endings(name: str) -> Iterator[str]:
    """The name, then what is left of it without one prefix, and without two."""
    yield name
    for _ in range(_MOST_PREFIXES):
        prefix, slash, name = name.partition("/")
        if not slash or not _PREFIX.fullmatch(prefix):
            return
        yield name


def outside_names(vocabulary: Vocabulary) -> Callable[[str], str]:
    """A function that gives the name under which an event outside the contract is counted.

    Names come from clients and could hold anything: only published ones, of the
    list `event_names`, stand in the ledger; all others are `other`.
    """
    known = vocabulary.known("event_names")

    def kind(name: str) -> str:
        if len(name) > MOST_NAME_CHARS:
            return OTHER
        return next(filter(None, map(known.landed, _endings(name))), OTHER)

    return kind
