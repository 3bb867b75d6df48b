"""Under which pseudonyms people stand in files: those of every epoch whose key is left."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.people.people_file import Person
from transforms.core.carried import slot_of
from transforms.core.curating.permitted import PERSON_COLUMNS
from transforms.core.keys.step_keys import PseudonymKeys

PROPERTY = "property"
"""The domain of the pseudonyms of ids that an extension puts among its own properties."""

NOBODY = -1


class Lookup:
    """Texts, and the number of the person whom each belongs to."""

    def __init__(self, persons: Mapping[str, int]) -> None:
        self.persons = dict(persons)
        self._texts = pa.array(list(self.persons), pa.string())
        self._numbers = np.array([*self.persons.values(), NOBODY], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.persons)

    def of(self, column: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """The person of each row, NOBODY where the text is nobody's or null."""
        found = pc.index_in(column, value_set=self._texts).fill_null(len(self.persons))
        return self._numbers[found.to_numpy()]


class KnownAs:
    """People by all that they may be called in files: pseudonyms as 32 hex digits, and their raw ids themselves.

    `slots` are those of people who are known by machines alone, None where somebody is known in another way: rows of
    a user or a session may lie in any slot.
    """

    def __init__(self, people: Sequence[Person], keys: PseudonymKeys) -> None:
        self.by_domain = {domain: _lookup(people, domain, keys) for domain in PERSON_COLUMNS.values()}
        raw = {text: number for number, person in enumerate(people) for text in person.texts}
        self.in_properties = Lookup(raw | _lookup(people, PROPERTY, keys).persons)
        self._machines = sorted(text for person in people for text in person.ids.get("installation", ()))
        self._is_by_machine_alone = all({*person.ids} == {"installation"} for person in people)
        self._bucketer = keys.bucketer()

    def slots(self, of: int) -> frozenset[int] | None:
        """The slots, of so many, in which rows of these machines lie."""
        if not self._is_by_machine_alone:
            return None
        return frozenset(slot_of(digest, of) for digest in self._bucketer.of_each(self._machines))


def _lookup(people: Sequence[Person], domain: str, keys: PseudonymKeys) -> Lookup:
    """The pseudonyms of all raw ids in a domain under every epoch's key.

    Of all, as clients put the same id in several places: the tag ai.user.id of many is the id of the machine.
    """
    ids = [(text, number) for number, person in enumerate(people) for text in sorted(person.texts)]
    return Lookup(dict(_under_all(ids, domain, keys)))


def _under_all(ids: Sequence[tuple[str, int]], domain: str, keys: PseudonymKeys) -> Iterable[tuple[str, int]]:
    texts = [text for text, _ in ids]
    for month in sorted(keys.person_keys):
        made = keys.pseudonymizer(domain, month).of_each(texts)
        yield from ((pseudonym.hex(), number) for pseudonym, (_, number) in zip(made, ids, strict=True))
