"""Addresses: which one counts, where it is, and that small places are not named."""

from datetime import date
from ipaddress import ip_address

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.options.ingest_flags import default_geo_database
from schemas.errors import InvalidOptions
from transforms.core.protecting.places.cities import city_names
from transforms.core.protecting.places.geo import NOWHERE, GeoDatabase, trusted_address


@pytest.fixture(scope="module")
def geo() -> GeoDatabase:
    return GeoDatabase(default_geo_database(), 15_000)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("81.2.69.142", "81.2.69.142"),
        ("198.51.100.9, 81.2.69.142", "81.2.69.142"),
        ("::ffff:81.2.69.142", "81.2.69.142"),
        ("81.2.69.142:51234", "81.2.69.142"),
        ("[2001:4860:4860::8888]:443", "2001:4860:4860::8888"),
        ("10.0.0.1", None),
        ("127.0.0.1", None),
        ("169.254.1.1", None),
        ("fe80::1", None),
        ("203.0.113.7", None),
        ("81.2.69.142, 10.0.0.1", None),
        ("", None),
        ("unknown", None),
        ("999.1.1.1", None),
        ("1" * 5000, None),
    ],
)
def test_trusted_address(text: str, address: str | None) -> None:
    found = trusted_address(text)
    assert (None if found is None else str(found)) == address


def test_columns_are_looked_up_and_nulls_stay(geo: GeoDatabase) -> None:
    columns = geo.columns(pa.array(["81.2.69.142", None, "junk", "10.1.1.1", "81.2.69.142"]))
    assert columns["country"].to_pylist() == ["GB", None, None, None, "GB"]
    assert columns["city"].to_pylist() == ["London", None, None, None, "London"]
    assert geo.place("junk") == NOWHERE


def test_build_date(geo: GeoDatabase) -> None:
    assert geo.build_date == date(2023, 4, 1)


def test_city_is_named_only_where_enough_people_live() -> None:
    place = GeoDatabase(default_geo_database(), 15_000).place("8.8.8.8")
    few = GeoDatabase(default_geo_database(), 1_000_000).place("8.8.8.8")
    assert (place.country, place.region, place.city) == ("US", "California", "Mountain View")
    assert (few.country, few.region, few.city) == ("US", "California", None)


def test_a_small_town_does_not_pass_for_its_great_namesake() -> None:
    cities = city_names(15_000)
    assert cities.canonical("GB", "London (Camden)", (51.54, -0.14)) == "London"
    assert cities.canonical("GB", "London", (57.0, -4.0)) is None  # no London there
    assert cities.canonical("US", "Paris", (48.85, 2.35)) is None


def test_unreadable_database_is_a_clear_error(tmp_path: object) -> None:
    with pytest.raises(InvalidOptions, match=r"--geo_database /nope\.mmdb: FileNotFoundError"):
        GeoDatabase("/nope.mmdb", 0)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 2**32 - 1) | st.integers(0x2000 << 112, 0x2A10 << 112), max_size=20))
def test_remembering_networks_changes_no_place(numbers: list[int]) -> None:
    remembering = GeoDatabase(default_geo_database(), 15_000)
    for near in [n for number in numbers for n in (number, number ^ 1, number ^ 255)]:
        text = str(ip_address(near))
        assert remembering.place(text) == GeoDatabase(default_geo_database(), 15_000).place(text)
