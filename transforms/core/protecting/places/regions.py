"""Regions: what a database may call one -> its own name, and how many people live there.

`schemas/places/regions.tsv` knows their names, ISO 3166-2 codes and people.
"""

from collections import defaultdict
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from transforms.core.protecting.places.place_names import name_keys


class Region(NamedTuple):
    """A country's first-level division."""

    name: str
    population: int


class _Names(NamedTuple):
    """Regions of a country: of the same key the first kind that knows only one wins."""

    own: dict[str, set[Region]]
    own_core: dict[str, set[Region]]
    other: dict[str, set[Region]]
    other_core: dict[str, set[Region]]
    codes: dict[str, Region]


@cache
def _lines_by_country() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    text = (files("schemas") / "places" / "regions.tsv").read_text("utf-8")
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            found.setdefault(line[:2], []).append(line)
    return found


@cache
def _names(country: str) -> _Names:
    names = _Names(defaultdict(set), defaultdict(set), defaultdict(set), defaultdict(set), {})
    for line in _lines_by_country().get(country, ()):
        _, _, population, codes, name, others = line.split("\t")
        region = Region(name, int(population))
        names.codes.update(dict.fromkeys(filter(None, codes.split("|")), region))
        for whole, core, texts in (
            (names.own, names.own_core, [name]),
            (names.other, names.other_core, [name, *others.split("|")]),
        ):
            for text in filter(None, texts):
                key, core_key = name_keys(text)
                whole[key].add(region)
                core[core_key].add(region)
    return names


def region_named(country: str, text: str) -> Region | None:
    """The region of a name, in whatever language it is known; None where none or several are called so."""
    names = _names(country)
    whole, core = name_keys(text)
    for known, key in ((names.own, whole), (names.other, whole), (names.own_core, core), (names.other_core, core)):
        if key and len(found := known.get(key, ())) == 1:
            return next(iter(found))
    return None


def region_coded(country: str, code: str) -> Region | None:
    """The region of an ISO 3166-2 code, with the country's before it or without."""
    return _names(country).codes.get(code.upper().removeprefix(f"{country}-"))
