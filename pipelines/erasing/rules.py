"""From people to the record of what they no longer permit."""

from collections.abc import Iterator, Mapping, Sequence

from pipelines.people.finding import Found
from pipelines.people.known_as import KnownAs
from pipelines.people.people_file import Person
from pipelines.people.quarantined import FoundPayloads
from transforms.core.keys.pseudonyms import Pseudonymizer
from transforms.core.output.erased import LOOSE, PAYLOAD, PROPERTY, Rule, digests_of

NOTHING = "off"


def rule_of(person: Person, before_us: int, *, erases: bool) -> Rule:
    """What is left of rows of a person that were received before that time."""
    if erases:
        return Rule(before_us, NOTHING, snippet_consent=False)
    consent = person.snippet_consent if person.snippet_consent is not None else True
    return Rule(before_us, person.telemetry_level or "all", consent)


def rules_by_digest(
    known: KnownAs, found: Found, payloads: FoundPayloads, rules: Sequence[Rule], key: bytes
) -> Iterator[tuple[str, Rule]]:
    """Each digest under which a person's rows are known again, and the person's rule."""
    pseudonymizer = Pseudonymizer(key)
    kinds: list[tuple[str, Mapping[str, int]]] = [
        *((domain, lookup.persons) for domain, lookup in known.by_domain.items()),
        (PROPERTY, known.in_properties.persons),
        (LOOSE, found.sessions),
        (PAYLOAD, payloads.payload_ids),
    ]
    for kind, persons in kinds:
        digests = digests_of(pseudonymizer, kind, persons)
        yield from ((digest, rules[person]) for digest, person in zip(digests, persons.values(), strict=True))
