"""Rules that send an event to a dataset, by its contract name."""

from dataclasses import dataclass
from typing import Any

from schemas.errors import IncompatibleSchema
from schemas.patterns import PATTERNS

_ATTRIBUTES = {"name", "attached", "beside", "field", "contains", "equals", "present", "suffix", "kind"}


@dataclass(frozen=True)
class Route:
    """A rule of a schema's `events`; a name that ends in * stands for names that end in what `suffix` allows.

    `source`, with one of `contains`, `equals` and `present`, makes it a rule with a condition: it holds where the
    value at that place on the wire contains the text, equals the text or number, or is there at all. An attached rule
    with `beside` holds only where the event's primary dataset is that one. `kind` is the kind of suggestion that
    such events are about; None where the name does not tell.
    """

    name: str
    attached: bool = False
    source: str | None = None
    contains: str | None = None
    equals: float | str | None = None
    suffix: str | None = None
    present: bool = False
    beside: str | None = None
    kind: str | None = None

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
        raw["name"],
        bool(raw.get("attached")),
        raw.get("field"),
        raw.get("contains"),
        raw.get("equals"),
        suffix,
        bool(raw.get("present")),
        raw.get("beside"),
        raw.get("kind"),
    )
