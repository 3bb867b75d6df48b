"""Pseudonyms of raw ids under every epoch's key, as the jobs make them."""

import pyarrow as pa

from pipelines.people.known_as import NOBODY, KnownAs, Lookup
from pipelines.people.people_file import Person
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.step_keys import step_keys_of


def test_each_id_under_each_month(ring: KeyRing) -> None:
    keys = step_keys_of(ring).pseudonyms
    people = [Person({"installation": frozenset({"a", "b"})}), Person({"user": frozenset({"c"})})]
    known = KnownAs(people, keys)
    months = sorted(ring.epochs)
    assert len(months) > 1
    assert len(known.by_domain["installation"]) == 3 * len(months)  # each id may stand in each column
    for month in months:
        made = {text: keys.pseudonymizer("installation", month).of(text).hex() for text in "abc"}
        assert known.by_domain["installation"].of(pa.array([made["a"], made["c"], None, made["b"]])).tolist() == [
            0, 1, NOBODY, 0,
        ]  # fmt: skip
        of_user = keys.pseudonymizer("user", month).of("c").hex()
        in_property = keys.pseudonymizer("property", month).of("c").hex()
        assert known.by_domain["user"].of(pa.array([of_user, in_property])).tolist() == [1, NOBODY]
        assert known.in_properties.of(pa.array([of_user, in_property, "c", "b"])).tolist() == [NOBODY, 1, 1, 0]


def test_slots_only_where_everybody_is_known_by_machines(ring: KeyRing) -> None:
    keys = step_keys_of(ring).pseudonyms
    machine = Person({"installation": frozenset({"a"})})
    assert len(KnownAs([machine], keys).slots(16) or ()) == 1
    assert KnownAs([machine, Person({"user": frozenset({"c"})})], keys).slots(16) is None


def test_an_empty_lookup_knows_nobody() -> None:
    assert Lookup({}).of(pa.array(["a", None])).tolist() == [NOBODY, NOBODY]
