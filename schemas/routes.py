"""Rules that send a wire event to a dataset, by its name."""

from dataclasses import dataclass
from typing import Any

from schemas.errors import IncompatibleSchema
from schemas.patterns import PATTERNS


@dataclass(frozen=True)
class Route:
    """A rule of a schema's `events`; a name that ends in * stands for names that end in what `suffix` allows."""

    name: str
    attached: bool = False
    source: str | None = None
    contains: str | None = None
    equals: float | None = None
    suffix: str | None = None

    def names(self, event: str) -> bool:
        """Whether it is the name of an event of this rule."""
        if self.suffix is None:
            return event == self.name
        begin = self.name.removesuffix("*")
        return event.startswith(begin) and PATTERNS[self.suffix].landed(event.removeprefix(begin)) is not None


def parse_route(raw: str | dict[str, Any]) -> Route:
    """A `Route` from its JSON; raises IncompatibleSchema where * and suffix do not go together."""
    if isinstance(raw, str):
        raw = {"name": raw}
    suffix = raw.get("suffix")
    if raw["name"].endswith("*") != (suffix in PATTERNS):
        raise IncompatibleSchema(
            f"event {raw['name']}: a name that ends in * has a suffix, and no other has; allowed are "
            f"{', '.join(PATTERNS)}"
        )
    return Route(
        raw["name"], bool(raw.get("attached")), raw.get("field"), raw.get("contains"), raw.get("equals"), suffix
    )
