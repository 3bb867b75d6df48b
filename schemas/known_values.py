"""Lists of known values, `schemas/known/<list>.txt`, and what an operator adds to them.

A list's head (lines that begin with #) tells its source; `# ! ignore case` looks
values up in any case and lands them as the list writes them; `# ! cut at X`
looks up only what stands before X. A value may hold `{date}`, `{status}` and
`{rest}`: see _PARTS. A line `one name => another` lands the first as the second.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.resources import files

from schemas.errors import IncompatibleSchema, InvalidOptions

_READ_CHARS = 1024
"""Of a longer text only so much is looked at; no value is as long."""

_IS = " => "

_PARTS = {
    "date": r"(?:-20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|-20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))?",
    "status": r"[1-5]\d\d",
    "rest": r"(?P<rest>(?![A-Za-z0-9])[\s\S]*)?",
}
"""What may stand for a part in braces: nothing or a date, an HTTP status, and anything at all, which does not land."""

_ADDED = re.compile(r"(?=.*[A-Za-z])(?!.*\d\.\d+\.\d+\.\d)[A-Za-z0-9][A-Za-z0-9_.+#:*/ -]*", re.ASCII)
_MOST_CHARS = 64
_MOST_ADDED = 10_000


@dataclass(frozen=True)
class KnownValues:
    """A list of known values."""

    name: str
    values: tuple[str, ...]
    is_case_ignored: bool = False
    cut_at: str | None = None
    other_names: tuple[tuple[str, str], ...] = ()

    def landed(self, text: str) -> str | None:
        """The value that a text is, as the list writes it; None where it is none."""
        text = text[:_READ_CHARS]
        if self.cut_at is not None:
            text = text.partition(self.cut_at)[0]
        found = self._plain.get(self._folded(text))
        return found if found is not None else self._by_parts(text)

    def _folded(self, text: str) -> str:
        """Only ASCII is folded: the Kelvin sign is no k."""
        return text.lower() if self.is_case_ignored and text.isascii() else text

    @cached_property
    def _plain(self) -> dict[str, str]:
        values = {self._folded(value): value for value in self.values if "{" not in value}
        return values | {self._folded(name): value for name, value in self.other_names}

    @cached_property
    def _with_parts(self) -> tuple[tuple[str, str, re.Pattern[str]], ...]:
        """Of each value with parts: its fixed beginning, folded and as it is, and its pattern."""
        flags = re.ASCII | (re.IGNORECASE if self.is_case_ignored else 0)
        made = []
        for value in self.values:
            if "{" in value:
                pieces = re.split(r"\{(\w+)\}", value)
                text = "".join(_PARTS[p] if n % 2 else re.escape(p) for n, p in enumerate(pieces))
                made.append((self._folded(pieces[0]), pieces[0], re.compile(text, flags)))
        return tuple(made)

    def _by_parts(self, text: str) -> str | None:
        folded = self._folded(text)
        for begin, start, pattern in self._with_parts:
            if folded.startswith(begin) and (found := pattern.fullmatch(text)):
                end = found.start("rest") if "rest" in pattern.groupindex else -1
                return start + folded[len(begin) : end if end >= 0 else None]
        return None


@cache
def known_values(name: str) -> KnownValues:
    """The list of that name; raises IncompatibleSchema where there is none."""
    path = files("schemas") / "known" / f"{name}.txt"
    if not re.fullmatch(r"[a-z_]+", name) or not path.is_file():
        raise IncompatibleSchema(f"known:{name}: no list of that name in schemas/known")
    lines = path.read_text(encoding="utf-8").splitlines()
    rules = [line.removeprefix("# ! ") for line in lines if line.startswith("# ! ")]
    cut = next((rule.removeprefix("cut at ") for rule in rules if rule.startswith("cut at ")), None)
    pairs = [line.partition(_IS) for line in lines if line and not line.startswith("#")]
    values = tuple(value for value, _, other in pairs if not other)
    others = tuple((value, other) for value, _, other in pairs if other)
    return KnownValues(name, values, "ignore case" in rules, cut, others)


@cache
def list_names() -> tuple[str, ...]:
    """The names of all lists, in order."""
    found = (p.name for p in (files("schemas") / "known").iterdir())
    return tuple(sorted(name.removesuffix(".txt") for name in found if name.endswith(".txt")))


@dataclass(frozen=True)
class Vocabulary:
    """The known values of a run: the packaged lists and what its operator adds, by list."""

    added: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def known(self, name: str) -> KnownValues:
        """The list of that name with what was added to it."""
        packaged = known_values(name)
        values = (*packaged.values, *self.added.get(name, ()))
        return replace(packaged, values=values)


PACKAGED = Vocabulary()
"""The packaged lists alone."""


def vocabulary_of(document: Mapping[str, object], where: str) -> Vocabulary:
    """What an operator's file adds: list name -> values.

    Raises InvalidOptions on an unknown list, on what is no list of text, and on
    a value that looks like no word: more than 64 characters, none of them a
    letter, an address, or others than ASCII letters, digits, blanks and _.+#:*/-
    """
    added = {}
    for name, values in document.items():
        if name not in list_names():
            raise InvalidOptions(f"{where}: {name!r} is no list; allowed are {', '.join(list_names())}")
        if not isinstance(values, list) or len(values) > _MOST_ADDED:
            raise InvalidOptions(f"{where}: {name}: allowed is an array of at most {_MOST_ADDED} texts")
        for number, value in enumerate(values, 1):
            if not isinstance(value, str):
                raise InvalidOptions(f"{where}: {name}: value {number} is no text but {type(value).__name__}")
            if len(value) > _MOST_CHARS or not _ADDED.fullmatch(value):
                raise InvalidOptions(
                    f"{where}: {name}: value {number} ({len(value)} characters) looks like no word; allowed are at "
                    f"most {_MOST_CHARS} ASCII letters, digits, blanks and _.+#:*/-, with a letter, no address"
                )
        added[name] = tuple(values)
    return Vocabulary(added)
