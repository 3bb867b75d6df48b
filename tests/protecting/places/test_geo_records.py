"""What a record of a geo database says, whatever its layout: the same place in every one, and null where it says none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.places.geo_records import Described, described
from transforms.core.protecting.places.place_names import MAX_NAME_CHARS

LAYOUTS: dict[str, dict[str, Any]] = {
    "MaxMind": {
        "country": {"iso_code": "GB", "names": {"en": "United Kingdom"}},
        "subdivisions": [{"iso_code": "ENG", "names": {"en": "England"}}],
        "city": {"names": {"en": "London", "de": "London"}},
    },
    "flat": {"country": "GB", "country_name": "United Kingdom", "region": "England", "city": "London"},
    "codes": {"country_code": "GB", "state1": "England", "city": "London"},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["country", "iso_code", "names", "en", "city", "subdivisions", "region", "registered_country", "0", "x"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_say_the_same_country_and_city(layout: str) -> None:
    found = described(LAYOUTS[layout])
    assert "GB" in found.countries
    assert "London" in found.cities
    assert {"England", "ENG"} & {*found.regions}


@given(JSON)
def test_any_record_is_described_in_bounded_names(record: Any) -> None:
    """A database may be anybody's: whatever stands in a record, nothing is raised and only a few short texts come out."""
    found = described(record)
    for names in (found.countries, found.regions, found.cities):
        assert len(names) <= 16
        assert all(isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS for name in names)
    assert found.location is None or (abs(found.location[0]) <= 90 and abs(found.location[1]) <= 180)


@pytest.mark.parametrize("record", [None, {}, [], "GB", 7, {"country": None}, {"country": {}}, {"city": {"names": {}}}])
def test_a_record_that_names_no_place_says_none(record: Any) -> None:
    assert described(record) == Described()


@pytest.mark.parametrize(
    ("record", "location"),
    [({"location": {"latitude": 51.5, "longitude": -0.1}}, (51.5, -0.1)), ({"loc": "51.5,-0.1"}, (51.5, -0.1)),
     ({"lat": "51.5", "lng": "-0.1"}, (51.5, -0.1)), ({"lat": 91, "lon": 0}, None), ({"lat": "north", "lon": 0}, None),
     ({"latitude": float("nan"), "longitude": 1.0}, None), ({"lat": True, "lon": 1}, None), ({"loc": "1,2,3"}, None)],
    ids=str,
)  # fmt: skip
def test_coordinates_are_degrees_or_none(record: dict, location: tuple[float, float] | None) -> None:
    assert described(record).location == location
