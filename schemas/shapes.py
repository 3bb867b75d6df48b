"""The shapes that texts which are kept may have, as the contract's files declare them.

A field's `shape` is the name of a pattern (`schemas.patterns`), `known:<list>`
(`schemas.known_values`), `version_of:<list>` (a version, alone or behind a known
product and a slash), `route` (the name of an event of the contract), or nothing
where the field lists its values itself (`one_of`).
"""

from collections.abc import Callable

from schemas.errors import IncompatibleSchema
from schemas.fields import PRODUCT, Field
from schemas.known_values import Vocabulary, known_values
from schemas.patterns import PATTERNS

Landing = Callable[[str], str | None]
"""A text from outside -> what lands of it; None where it is none of what its field may hold."""

OTHER = "other"
"""Lands for a text that is none of what its field may hold."""

ROUTE = "route"
_VERSION = PATTERNS["version"]


def check_shape(field: Field, where: str) -> None:
    """Raises IncompatibleSchema where a kept text declares no shape, or one that does not exist."""
    if field.one_of and not field.shape:
        return
    if not field.shape:
        raise IncompatibleSchema(
            f"{where}: a text that is kept declares its shape: a pattern ({', '.join(PATTERNS)}), known:<list>, "
            "version_of:<list>, route, or one_of"
        )
    kind, _, name = field.shape.partition(":")
    if kind in ("known", "version_of") and name:
        known_values(name)
    elif field.shape != ROUTE and field.shape not in PATTERNS:
        raise IncompatibleSchema(f"{where}: {field.shape!r} is no shape; patterns are {', '.join(PATTERNS)}")


def landing(field: Field, vocabulary: Vocabulary) -> Landing:
    """What becomes of a text of this field."""
    if field.one_of:
        allowed = {*field.one_of, field.otherwise}
        return lambda text: text if text in allowed else None
    kind, _, name = field.shape.partition(":")
    if kind == "version_of":
        return _version_of(vocabulary.known(name).landed)
    if kind == "known":
        known = vocabulary.known(name).landed
        return _product(known) if field.parse == PRODUCT else known
    return PATTERNS[kind].landed


def _product(known: Landing) -> Landing:
    """The product of `product/version`, or the whole where nothing follows it."""

    def landed(text: str) -> str | None:
        product, slash, version = text.partition("/")
        return known(product) if not slash or _VERSION.landed(version) else None

    return landed


def _version_of(known: Landing) -> Landing:
    """The version of `product/version`, or the whole where no product stands before it."""

    def landed(text: str) -> str | None:
        product, slash, version = text.partition("/")
        if not slash:
            return _VERSION.landed(text)
        return _VERSION.landed(version) if known(product) else None

    return landed
