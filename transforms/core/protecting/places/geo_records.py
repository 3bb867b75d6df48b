"""What a record of a geo database says about a place. The texts are then looked up in lists of places.

Nested layouts (MaxMind, DB-IP) and flat ones (IPinfo, ip-location-db, IP2Location) are read. A value that is no name,
code or coordinate is ignored.
"""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from transforms.core.protecting.places.place_names import MAX_NAME_CHARS

_COUNTRY = ("countrycode", "countryisocode", "countryshort", "country", "countryname", "countrylong", "isocode")
_REGION = (
    "subdivisions", "subdivision", "subdivision1name", "region", "regionname", "region1", "state", "statename",
    "state1", "stateprov", "province", "regioncode", "statecode", "regionisocode", "subdivision1isocode",
)  # fmt: skip
_CITY = ("city", "cityname", "town")
_LATITUDE, _LONGITUDE = ("latitude", "lat"), ("longitude", "lng", "lon", "long")
_PAIR = ("loc", "location", "coordinates")
_INNER = ("location", "geo", "geolocation", "data")
"""Maps of a record in which a flat layout may stand."""

_OWN_NAMES = ("name", "en", "code")
_MOST = 16
"""Names that are read for a place; no database has more for one."""

_MOST_OF_COUNTRY = 4
"""A country has a code or an English name, and they come first."""


class Described(NamedTuple):
    """What a record says, best first: names or codes; latitude and longitude in degrees."""

    countries: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    location: tuple[float, float] | None = None


def described(record: object) -> Described:
    """What the record says; nothing where it is no map."""
    if not isinstance(record, dict):
        return Described()
    flat = _keyed(record)
    for name in _INNER:
        if isinstance(inner := flat.get(name), dict):
            flat = {**_keyed(inner), **flat}
    return Described(
        _found(flat, _COUNTRY, _MOST_OF_COUNTRY), _found(flat, _REGION), _found(flat, _CITY), _location(flat)
    )


def _keyed(record: dict[Any, Any]) -> dict[str, Any]:
    """The record by names without case and marks: `country_code` and `countryCode` are one."""
    return {k.replace("_", "").replace("-", "").casefold(): v for k, v in record.items() if isinstance(k, str)}


def _found(flat: dict[str, Any], names: tuple[str, ...], most: int = _MOST) -> tuple[str, ...]:
    texts = (text for name in names if name in flat for text in _texts(flat[name]))
    return tuple(dict.fromkeys(islice(texts, most)))


def _texts(value: object) -> Iterator[str]:
    """The texts of a name, a map of names, or the first of several places."""
    if isinstance(value, str):
        if value.strip() and len(value) <= MAX_NAME_CHARS:
            yield value.strip()
    elif isinstance(value, list):
        yield from _texts(value[0] if value and not isinstance(value[0], list) else None)
    elif isinstance(value, dict):
        yield from _of_map(_keyed(value))


def _of_map(flat: dict[str, Any]) -> Iterator[str]:
    """English first, then the code, then the other languages; a map by number stands for a list."""
    names = flat.get("names")
    if isinstance(names, dict):
        yield from _of_map({"en": None, **_keyed(names)})
    elif names is not None:
        yield from _texts(names)
    numbered = sorted((int(k), v) for k, v in flat.items() if k.isdecimal() and len(k) < 3)
    if numbered:
        yield from _texts(numbered[0][1])
    for name in (*_OWN_NAMES, "isocode"):
        if isinstance(text := flat.get(name), str):
            yield from _texts(text)
    is_names = not {"names", "name", "isocode", "code", "geonameid"} & set(flat)
    if is_names:
        for text in flat.values():
            if isinstance(text, str):
                yield from _texts(text)


def _location(flat: dict[str, Any]) -> tuple[float, float] | None:
    latitude = next((flat[n] for n in _LATITUDE if n in flat), None)
    longitude = next((flat[n] for n in _LONGITUDE if n in flat), None)
    for name in _PAIR:
        pair = flat.get(name)
        if latitude is None and isinstance(pair, str) and pair.count(",") == 1 and len(pair) <= MAX_NAME_CHARS:
            latitude, _, longitude = pair.partition(",")
    degrees = _degrees(latitude, 90.0), _degrees(longitude, 180.0)
    return degrees if None not in degrees else None  # type: ignore[return-value]


def _degrees(value: object, most: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= most else None
