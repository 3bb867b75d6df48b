"""Address -> country, region, city; after this the address is gone.

Reads databases in MaxMind's format, whatever the layout of their records. What
lands are names of geonames' lists, never a database's text: a district
("London (Camden)") becomes the city it lies in, and a place is named only where
enough people live there.
"""

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

import pyarrow as pa

from schemas.errors import InvalidOptions, StorageRefused, StorageUnavailable
from transforms.core.protecting.places.cities import city_names
from transforms.core.protecting.places.countries import country_code, country_population
from transforms.core.protecting.places.geo_file import DAMAGED, build_date, file_state, open_database
from transforms.core.protecting.places.geo_records import Described, described
from transforms.core.protecting.places.regions import Region, region_coded, region_named

REGION_MIN_POPULATION = 100_000
"""With this floor 99.4 % of the packaged database's addresses keep their region, and 99.96 % their country."""

_REMEMBERED = 500_000
_REMEMBERED_NAMES = 20_000
_PARTS, _STEPS_A_PART = 64, 300
"""Networks that are looked at for a country before a database is refused: half a second at most."""


class Place(NamedTuple):
    """What is kept of an address; each part may be None."""

    country: str | None = None
    region: str | None = None
    city: str | None = None


NOWHERE = Place()


def trusted_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address that the trusted proxy saw, the last of a forwarded-for list; None where not public.

    Takes a port and brackets away; an IPv4-mapped IPv6 address becomes IPv4.
    """
    last = text.rpartition(",")[2].strip()
    if last.startswith("["):
        last = last[1:].partition("]")[0]
    elif last.count(":") == 1:
        last = last.partition(":")[0]
    try:
        address = ip_address(last)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address if address.is_global else None


class GeoSettings(NamedTuple):
    """Which database is asked (PACKAGED for the packaged one), and how many people must live in a city, and in a region
    or country, that is named.
    """

    path: str
    city_min_population: int
    region_min_population: int = REGION_MIN_POPULATION


class GeoDatabase:
    """Looks each distinct address up once in the life of a worker; open it in `setup`.

    Raises InvalidOptions where the file is missing or no such database,
    StorageUnavailable where it is damaged or is written to while it is read.
    """

    def __init__(self, path: str, min_population: int, region_min_population: int = REGION_MIN_POPULATION) -> None:
        """The least people of a city, and of a region or a country, that is named."""
        self._reader, self._path, self._state = open_database(path)
        self._is_ipv4_only = self._reader.metadata().ip_version == 4
        self._cities = city_names(min_population)
        self._region_min_population = region_min_population
        self._known: dict[str, Place] = {}
        self._networks: dict[tuple[int, int, int], Place] = {}  # by version, prefix length and prefix
        self._prefixes: dict[int, list[int]] = {4: [], 6: []}

    @property
    def build_date(self) -> date:
        """The day the database was built (UTC)."""
        return build_date(self._reader)

    def check_countries(self) -> None:
        """Raises InvalidOptions where no record among some thousands of networks names a country."""
        for record in self._sample():
            if any(map(country_code, described(record).countries)):
                return
        kind = str(self._reader.metadata().database_type)[:40]
        raise InvalidOptions(
            f"--geo_database {self._path}: its records name no countries (it calls itself {kind!r}); "
            "allowed is a database of countries or cities"
        )

    def _sample(self) -> Iterator[object]:
        """Records of networks from all over the database."""
        for version, bits, first, end in ((4, 32, 0, 1 << 32), (6, 128, 1 << 125, 1 << 126)):
            if version == 6 and self._is_ipv4_only:
                return
            part = (end - first) // _PARTS
            for begin in range(first, end, part):
                number = begin
                for _ in range(_STEPS_A_PART):
                    record, length = self._record(IPv4Address(number) if version == 4 else IPv6Address(number))
                    yield record
                    number = ((number >> (bits - length)) + 1) << (bits - length)
                    if number >= begin + part:
                        break

    def place(self, text: str) -> Place:
        """Where the address is; NOWHERE for anything that is no public address."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[text] = self._look_up(text)
        return found

    def _look_up(self, text: str) -> Place:
        """The place of the network that the address lies in, each network's record read once."""
        address = trusted_address(text)
        if address is None:
            return NOWHERE
        number, version, bits = int(address), address.version, address.max_prefixlen
        if version == 6 and self._is_ipv4_only:
            return NOWHERE
        for length in self._prefixes[version]:
            found = self._networks.get((version, length, number >> (bits - length)))
            if found is not None:
                return found
        record, length = self._record(address)
        place = self._place_of(described(record))
        if length not in self._prefixes[version]:
            self._prefixes[version].append(length)
        if len(self._networks) >= _REMEMBERED:
            self._networks.clear()
        self._networks[version, length, number >> (bits - length)] = place
        return place

    def _record(self, address: IPv4Address | IPv6Address) -> tuple[object, int]:
        try:
            record, length = self._reader.get_with_prefix_len(address)
        except DAMAGED as cause:
            raise StorageRefused(
                f"--geo_database {self._path}: {type(cause).__name__} in a record; the file is damaged"
            ) from None
        return record, length

    def _place_of(self, said: Described) -> Place:
        country = next(filter(None, map(country_code, said.countries)), None)
        if country is None or country_population(country) < self._region_min_population:
            return NOWHERE
        region = _region(country, said.regions)
        is_named = region is not None and region.population >= self._region_min_population
        cities = (self._cities.canonical(country, name, said.location) for name in said.cities)
        return Place(country, region.name if region and is_named else None, next(filter(None, cities), None))

    def columns(self, addresses: pa.Array) -> dict[str, pa.Array]:
        """country, region and city of each address; null where the address is null or not public."""
        self._check_unchanged()
        coded = addresses.dictionary_encode()
        places = [self.place(a) for a in coded.dictionary.to_pylist()] or [NOWHERE]
        columns = zip(Place._fields, zip(*places, strict=True), strict=True)
        return {name: pa.array(values, pa.string()).take(coded.indices) for name, values in columns}

    def _check_unchanged(self) -> None:
        """Once a batch: a file that is written to in place would give other places, or end the process by SIGBUS.

        One that is replaced by another of its name stays as it was for those who have it open.
        """
        if self._state is None:
            return
        try:
            now = file_state(self._path)
        except OSError:
            return
        if now != self._state and now[:2] == self._state[:2]:
            raise StorageUnavailable(
                f"--geo_database {self._path} was written to while it was read; put a new one in its place by renaming"
            )


@lru_cache(_REMEMBERED_NAMES)
def _region(country: str, texts: tuple[str, ...]) -> Region | None:
    for find in (region_named, region_coded):
        for text in texts:
            if (found := find(country, text)) is not None:
                return found
    return None
