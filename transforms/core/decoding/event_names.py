"""The names of an event: every other module uses these three words, and asks here how one becomes another.

- The *wire name* is what the client wrote: `copilot/ghostText.shown`,
  `GitHub.copilot-chat/copilot-nes/provideInlineEdit`, or a bare name. An
  exception without a name has the wire name `exception`.
- The *contract name* is the wire name without the prefix of the extension that
  sent it. The contract's routes know events by it, and it lands as `event_name`.
  Some names hold a slash of their own (`applyPatch/trackEditSurvival`), so a
  prefix is cut off only where a route knows what is left. An event whose name no
  route knows is outside the contract and keeps its wire name.
- The *counted name* is the name under which the ledger counts an event outside
  the contract. Clients can send anything as a name, so this is one of the
  published names of the list `event_names`, or `other`.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from schemas.known_values import Vocabulary
from schemas.shapes import OTHER
from transforms.core.decoding.routing import MOST_NAME_CHARS, candidates

_MOST_PREFIXES = 2
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)


def contract_name(wire_name: str) -> str:
    """The contract name of an event; the wire name as it is where no route knows the event."""
    return wire_name if len(wire_name) > MOST_NAME_CHARS else _contract_name(wire_name)


@lru_cache(maxsize=4096)  # names come from clients: bounded, whatever they send
def _contract_name(wire_name: str) -> str:
    return next(filter(candidates, _without_prefixes(wire_name)), wire_name)


def _without_prefixes(wire_name: str) -> Iterator[str]:
    """The name itself, then what is left of it without one prefix, and without two."""
    name = wire_name
    yield name
    for _ in range(_MOST_PREFIXES):
        prefix, slash, name = name.partition("/")
        if not slash or not _PREFIX.fullmatch(prefix):
            return
        yield name


def counted_names(vocabulary: Vocabulary) -> Callable[[str], str]:
    """A function from the wire name of an event outside the contract to its counted name."""
    published = vocabulary.known("event_names")

    def counted_name(wire_name: str) -> str:
        if len(wire_name) > MOST_NAME_CHARS:
            return OTHER
        return next(filter(None, map(published.landed, _without_prefixes(wire_name))), OTHER)

    return counted_name
