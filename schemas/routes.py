"""Rules that send an event to a dataset, by its contract name."""

from dataclasses import dataclass
from typing import Any

from schemas.errors import IncompatibleSchema
from schemas.patterns import PATTERNS

_ATTRIBUTES = {"name", "attached", "field", "contains", "equals", "suffix"}


@dataclass(frozen=True)
class Route:
    """A rule of a schema's `events`; a name that ends in * stands for names that end in what `suffix` allows.

    `source`, `contains` and `equals` make it a rule with a condition: it holds where the value at that place on
    the wire contains the text or equals the number.
    """

    name: str
    attached: bool = False
    source: str | None = None
    contains: str | None = None
    equals: float | None = None
    suffix: str | None = None

    def matches(self, contract_name: str) -> bool:
        """Whether this rule is about events of that name."""
        if self.suffix is None:
            return contract_name == self.name
        begin = self.name.removesuffix("*")
        if not contract_name.startswith(begin):
            return False
        return PATTERNS[self.suffix].landed(contract_name.removeprefix(begin)) is not None


def parse_route(raw: str | dict[str, Any]) -> Route:
    """A `Route` from its JSON.

    Raises IncompatibleSchema on an attribute that nobody knows, and where * and suffix do not go together.
    """
    if isinstance(raw, str):
        raw = {"name": raw}
    if unknown := set(raw) - _ATTRIBUTES:
        raise IncompatibleSchema(f"event {raw.get('name')}: unknown attributes {sorted(unknown)}")
    suffix = raw.get("suffix")
    if raw["name"].endswith("*") != (suffix in PATTERNS):
        raise IncompatibleSchema(
            f"event {raw['name']}: a name that ends in * has a suffix, and no other has; allowed are "
            f"{', '.join(PATTERNS)}"
        )
    return Route(
        raw["name"], bool(raw.get("attached")), raw.get("field"), raw.get("contains"), raw.get("equals"), suffix
    )
