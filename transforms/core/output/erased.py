"""What people no longer permit of what was received before: written down before the first of their rows goes.

`_erased/record.json` holds keyed digests of pseudonyms, so that whoever has the key ring knows a row of theirs again
when an old input is run once more. It holds no raw id and no pseudonym: without the ring it tells nothing of anybody.
"""

from collections.abc import Iterable

import msgspec

from schemas.registry import PERMITTED
from transforms.core import storage
from transforms.core.keys.pseudonyms import Pseudonymizer
from transforms.core.output.layout import ERASED_FOLDER, Output
from transforms.core.output.records import read_record

RECORD = f"{ERASED_FOLDER}/record.json"
"""The path in an output of what people no longer permit."""

_VERSION = 1

LOOSE, PAYLOAD, PROPERTY = "loose", "payload", "property"
"""Kinds of ids beside the domains of persons: a session, and the installation in it, of rows that name no user; a
quarantined payload; a value among an extension's properties."""


class Rule(msgspec.Struct, frozen=True):
    """What is left of rows that were received before a time, in microseconds since 1970."""

    before_us: int
    telemetry_level: str
    snippet_consent: bool

    @property
    def rank(self) -> int:
        """Index in LEVELS of the highest level that is left."""
        return PERMITTED[self.telemetry_level]


class Erased(msgspec.Struct):
    """Rules, and the numbers of those that hold for each digest."""

    version: int = _VERSION
    rules: list[Rule] = []
    digests: dict[str, list[int]] = {}

    def with_rules(self, digests: Iterable[tuple[str, Rule]]) -> "Erased":
        """The record with more rules; one that says no more than another one of its digest is left out."""
        rules, found = [*self.rules], {digest: [*numbers] for digest, numbers in self.digests.items()}
        places = {rule: number for number, rule in enumerate(rules)}
        for digest, rule in digests:
            held = found.setdefault(digest, [])
            if any(_says_all(rules[number], rule) for number in held):
                continue
            if rule not in places:
                places[rule] = len(rules)
                rules.append(rule)
            found[digest] = sorted([n for n in held if not _says_all(rule, rules[n])] + [places[rule]])
        return Erased(rules=rules, digests=dict(sorted(found.items())))

    def save(self, output: Output) -> None:
        """Writes the record."""
        output.write(output.beside(RECORD), msgspec.json.encode(self) + b"\n")


def _says_all(one: Rule, other: Rule) -> bool:
    """Whether nothing is left by one rule that the other one would take."""
    takes = one.rank <= other.rank and one.snippet_consent <= other.snippet_consent
    return takes and one.before_us >= other.before_us


def read_erased(output: Output) -> Erased:
    """The record of an output, empty where nothing was erased; raises StorageRefused where it is damaged."""
    path = output.beside(RECORD)
    if not storage.exists(path):
        return Erased()
    return read_record(path, Erased, _VERSION, _is_sound)


def _is_sound(found: Erased) -> bool:
    has_rules = all(0 <= n < len(found.rules) for numbers in found.digests.values() for n in numbers)
    return has_rules and all(rule.telemetry_level in PERMITTED for rule in found.rules)


def digests_of(pseudonymizer: Pseudonymizer, kind: str, texts: Iterable[str]) -> list[str]:
    """What stands in the record for ids of a kind: pseudonyms as 32 hex digits, payload ids, values of properties."""
    return [made.hex() for made in pseudonymizer.of_each(f"{kind}:{text}" for text in texts)]
