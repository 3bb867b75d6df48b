"""Shapes: what lands is one of the declared values, and landing it again changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dictionary import DATASETS
from schemas.fields import Field
from schemas.known_values import PACKAGED, KnownValues, known_values, list_names, vocabulary_of
from schemas.patterns import PATTERNS
from schemas.registry import load
from schemas.shapes import ROUTE, landing

SHAPED = {
    (f.shape, f.parse, f.one_of): f
    for name in DATASETS
    for f in load(name).fields
    if f.is_kept_text and f.shape != ROUTE
}
TEXTS = st.text(max_size=20) | st.sampled_from([v for name in list_names() for v in known_values(name).values])
TEXTS |= st.tuples(
    TEXTS, st.sampled_from(["/", "-", " ", ""]), st.from_regex(r"\d{1,3}(\.\d{1,3}){0,3}", fullmatch=True)
).map("".join)


@pytest.mark.parametrize("key", sorted(SHAPED, key=str), ids=lambda k: f"{k[0] or 'one_of'}-{k[1]}")
@given(TEXTS)
def test_landing_is_idempotent(key: tuple[str, str | None, tuple[str, ...]], text: str) -> None:
    land = landing(SHAPED[key], PACKAGED)
    found = land(text)
    if found is not None:
        assert land(found) == found
        assert len(found) <= max(64, len(text))


@given(
    st.lists(st.text(min_size=1, max_size=3), max_size=3).map(tuple),
    st.none() | st.text(max_size=3),
    st.text(max_size=3),
)
def test_listed_values_land_and_no_others(one_of: tuple[str, ...], otherwise: str | None, text: str) -> None:
    field = Field("x", None, "", False, "", "", "keep", "usage", shape="version", one_of=one_of, otherwise=otherwise)  # type: ignore[arg-type]
    expected = text if text in (*one_of, otherwise) else None
    if one_of:
        assert landing(field, PACKAGED)(text) == expected


@pytest.mark.parametrize("name", list_names())
def test_each_known_value_lands_as_its_list_writes_it(name: str) -> None:
    known = known_values(name)
    for value in known.values:
        if "{" not in value:
            assert known.landed(value) is not None
            assert known.landed(value) in known.values
            if known.is_case_ignored:
                assert known.landed(value.upper()) == known.landed(value)


@pytest.mark.parametrize("name", list_names())
def test_another_name_of_a_value_lands_as_that_value(name: str) -> None:
    known = known_values(name)
    for other, value in known.other_names:
        assert value in known.values
        assert other not in known.values
        assert known.landed(other) == value


def test_an_extension_has_one_name() -> None:
    known = known_values("extensions")
    assert known.landed("github.copilot-chat") == known.landed("copilot-chat") == "copilot-chat"


@given(st.text(max_size=6), st.sampled_from(["-2026-03-29", "-20260329", "", "-2026-13-29", "-1999-01-01", "x"]))
def test_a_date_behind_a_value_lands_only_if_it_is_one(begin: str, date: str) -> None:
    known = KnownValues("models", ("gpt{date}", "plain"))
    assert known.landed(f"gpt{date}") == (None if date in ("-2026-13-29", "-1999-01-01", "x") else f"gpt{date}")
    assert known.landed(f"{begin}plain") == ("plain" if begin == "" else None)


def test_what_stands_behind_a_rest_does_not_land() -> None:
    known = KnownValues("reasons", ("status {status}{rest}",))
    assert known.landed("status 404: /home/zofia") == "status 404"
    assert known.landed("status 4040") is None
    assert known.landed("status 404x") is None


def test_only_ascii_is_folded() -> None:
    known = KnownValues("editors", ("kate", "stra\u00dfe"), is_case_ignored=True)
    assert known.landed("KATE") == "kate"
    assert known.landed("\u212aate") is None
    assert known.landed("STRASSE") is None


@given(st.text(max_size=70))
def test_a_pattern_never_lets_more_through_than_it_was_given(text: str) -> None:
    for pattern in PATTERNS.values():
        found = pattern.landed(text)
        assert found is None or (found in text and found.isascii() and len(found) <= 64)


def test_an_operators_words_are_added_and_the_packaged_list_stays() -> None:
    vocabulary = vocabulary_of({"editors": ["acme-ide"]}, "file")
    assert vocabulary.known("editors").landed("Acme-IDE") == "acme-ide"
    assert known_values("editors").landed("acme-ide") is None
    assert vocabulary.known("languages") == PACKAGED.known("languages")
