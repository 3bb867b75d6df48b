"""Regions: every line of the list is found by its name and its codes, in its own country alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.places.regions import _lines_by_country, region_coded, region_named

LINES = {country: [line.split("\t") for line in lines] for country, lines in _lines_by_country().items()}


@pytest.mark.parametrize("country", sorted(LINES))
def test_every_region_of_a_country(country: str) -> None:
    names = [line[4] for line in LINES[country]]
    for _, _, population, codes, name, _ in LINES[country]:
        found = region_named(country, name)
        if names.count(name) == 1:
            assert found == (name, int(population))
            assert region_named(country, name.upper()) == found
        for code in filter(None, codes.split("|")):
            for text in (code, code.lower(), f"{country}-{code}"):
                coded = region_coded(country, text)
                assert coded is not None, text
                assert coded.name in names


@given(st.text(max_size=25), st.sampled_from([*sorted(LINES), "ZZ", ""]))
def test_any_text_is_a_region_of_that_country_or_none(text: str, country: str) -> None:
    for found in (region_named(country, text), region_coded(country, text)):
        assert found is None or [country, found.name] in [[line[0], line[4]] for line in LINES[country]]


def test_a_name_that_several_regions_share_names_none() -> None:
    for country, lines in LINES.items():
        names = [line[4] for line in lines]
        for name in {n for n in names if names.count(n) > 1}:
            assert region_named(country, name) is None
