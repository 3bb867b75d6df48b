"""Names of places made comparable."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.places.place_names import name_keys, plain_words

NAMES = st.text(alphabet=st.sampled_from("abcABCéÉłŁøØßüÜ\u0131İ'\u2019 -.,()王ñ\u0301"), max_size=24)


@given(NAMES)
def test_plain_words_are_plain(name: str) -> None:
    plain = plain_words(name)
    assert plain == " ".join(plain.split())
    assert not any(unicodedata.combining(c) for c in unicodedata.normalize("NFKD", plain))
    assert plain_words(plain) == plain, "once more changes nothing"


@given(NAMES)
def test_composed_and_decomposed_spellings_are_one(name: str) -> None:
    spellings = [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    assert plain_words(spellings[0]) == plain_words(spellings[1])
    assert name_keys(spellings[0]) == name_keys(spellings[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Łódź", "lodz"),
        ("Tromsø", "TROMSO"),
        ("Val-d'Oise", "Val d\u2019Oise"),
        ("Gießen", "Giessen"),
        ("São Paulo", "sao paulo"),
        ("Đồng Nai", "dong nai"),
    ],
)
def test_spellings_that_are_one(one: str, other: str) -> None:
    assert plain_words(one) == plain_words(other)


def test_words_that_say_what_kind_of_place_it_is_are_left_out_of_the_second_key() -> None:
    assert name_keys("Łódź Voivodeship")[1] == name_keys("Lodz")[1] == "lodz"
    assert name_keys("Canton of Zürich") == ("canton of zurich", "zurich")
    assert name_keys("The State")[1] == ""
