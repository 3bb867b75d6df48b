"""Places where secrets stand: each context finds its secret, and leaves a placeholder and ordinary words."""

import base64
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.scrub import CODE, scrub_text
from transforms.core.protecting.scrubbing.contexts import CONTEXTS

SECRET, RANDOM = "Tr0ub4dor&3x", "q7Zt9LmX2vBn4KpWs8Rd"
PLACES = {
    "Authorization: Bearer {}": RANDOM,
    "authorization => 'token {}'": RANDOM,
    "headers['Authorization'] = 'Bearer {}'": RANDOM,
    "Authorization: Basic {}": base64.b64encode(b"ann:hunter2").decode(),
    "use bearer {} here": RANDOM,
    "basic {}": base64.b64encode(b"zofia:pass word").decode(),
    '"auth": "{}"': base64.b64encode(b"zofia:pass word").decode(),
    "tool --password {} run": SECRET,
    "tool --api-key '{}'": RANDOM,
    "sshpass -p {} ssh host": SECRET,
    "mysql -u root -p{} db": SECRET,
    "docker login -u x -p {}": SECRET,
    "curl -u ann:{} https://x.example": SECRET,
    "machine h login ann password {}": SECRET,
    "aws configure set aws_secret_access_key {}": RANDOM,
    "CREATE USER x IDENTIFIED BY '{}'": SECRET,
    "ALTER ROLE x WITH PASSWORD '{}'": SECRET,
    'ConvertTo-SecureString "{}"': SECRET,
    "openssl rsa -passin pass:{}": SECRET,
    "client.login('ann', '{}')": SECRET,
    "the password is {} ok": SECRET,
    "sqlplus scott/{}@db": SECRET,
    "jdbc:oracle:thin:scott/{}@host": SECRET,
    "ann:{}@tcp(host:3306)/db": "hunter2x",
}


def scrubbed(text: str) -> str:
    return scrub_text(text, CODE, Counter())


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_in_its_place_goes_and_the_place_stays(place: str) -> None:
    secret = PLACES[place]
    out = scrubbed(place.format(secret))
    assert secret not in out
    assert out.startswith(place.partition("{")[0][:8])
    for start, end in (("\n", "\n"), ("  # ", ""), ("x;\t", " \\\n")):
        assert secret not in scrubbed(f"{start}{place.format(secret)}{end}")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", ["<token>", "${TOKEN}", "changeme", "********", "$PASSWORD"])
def test_a_placeholder_in_its_place_stays(place: str, value: str) -> None:
    if place.startswith("jdbc") and "@" in value:
        return
    text = place.format(value)
    assert scrubbed(text) == text


@given(
    st.lists(st.from_regex(r"[a-z]{2,9}", fullmatch=True), min_size=2, max_size=8),
    st.sampled_from(["bearer", "basic", "token", "password", "secret"]),
)
def test_sentences_about_secrets_stay(words: list[str], word: str) -> None:
    text = f"the {word} {' '.join(words)}."
    assert scrubbed(text) == text


@pytest.mark.parametrize(
    ("text", "gone"),
    [("Cookie: a=b; sid=1a2b3c4d5e; Path=/", ["1a2b3c4d5e"]), ("Set-Cookie: session=abcdef123456; HttpOnly; Expires=Wed", ["abcdef123456"]),
     ("document.cookie = 'token=q7Zt9LmX2v;x=y1z2w3q4'", ["q7Zt9LmX2v", "y1z2w3q4"]), ("headers['cookie']: 'a=zyxwvu9'", ["zyxwvu9"])],
)  # fmt: skip
def test_values_of_cookies_go_and_attributes_stay(text: str, gone: list[str]) -> None:
    out = scrubbed(text)
    assert not [g for g in gone if g in out]
    assert [a for a in ("Path=/", "HttpOnly", "Expires=Wed") if a in text and a not in out] == []


@given(st.integers(1, 400), st.integers(0, 399))
def test_the_last_of_many_cookies_goes_too(count: int, which: int) -> None:
    pairs = [f"n{n}=v" for n in range(count)]
    pairs[which % count] = "sid=1a2b3c4d5e6f"
    out = scrubbed(f"Cookie: {'; '.join(pairs)}")
    assert "1a2b3c4d5e6f" not in out


def test_names_of_contexts_are_distinct() -> None:
    names = [detector.name for detector in CONTEXTS]
    assert len(set(names)) == len(names)
