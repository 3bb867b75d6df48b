"""Cookies: their values go and their names and attributes stay, in whatever a header stands."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.scrub import CODE, ERRORS, Scrubber, scrub_text

SECRET = "aB3dE6gH9jK2mN5p"


def scrubbed(text: str, scrubber: Scrubber = ERRORS) -> str:
    return scrub_text(text, scrubber, Counter())


def is_mixed(value: str) -> bool:
    """No placeholder: the same letter again and again stays as it is."""
    return len(set(value)) >= 8 and any(c.isdigit() for c in value)


@pytest.mark.parametrize("mode", [CODE, ERRORS], ids=["code", "errors"])
@pytest.mark.parametrize(
    "form",
    ["Cookie: sid={}", "Set-Cookie: sid={}; Path=/; HttpOnly", "'Cookie': 'a=1; sid={}'", '{{"cookie": "sid={}"}}',
     'headers["Cookie"] = "sid={}"', "cookie=sid={}; theme=dark"],
)  # fmt: skip
def test_a_value_goes_and_what_is_around_it_stays(mode: Scrubber, form: str) -> None:
    text = form.format(SECRET)
    found = scrubbed(text, mode)
    assert SECRET not in found
    assert "<REDACTED:" in found
    assert text.split(SECRET)[0][:6] == found[:6]


@pytest.mark.parametrize(
    "text", ["Cookie: theme=dark", "Set-Cookie: a=1; Path=/; Max-Age=3600", "the cookie jar is empty", "cookie: none"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrubbed(text) == text


@given(
    st.lists(st.sampled_from("abcdefXYZ0123456789"), min_size=16, max_size=30).map("".join).filter(is_mixed),
    st.integers(0, 4),
)
def test_any_long_value_goes_wherever_it_stands_among_others(value: str, others: int) -> None:
    pairs = [f"k{n}=1" for n in range(others)]
    pairs.insert(others // 2, f"sid={value}")
    found = scrubbed(f"Cookie: {'; '.join(pairs)}")
    assert value not in found
    assert found.count("k") >= others
