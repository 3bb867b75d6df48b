"""Which values beside a name are secrets, and which are code, places, placeholders."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.scrubbing.values import (
    entropy,
    is_password,
    is_placeholder,
    is_random,
    is_strong,
    mixes,
)


@given(st.binary(min_size=1, max_size=64))
def test_entropy_is_shannons(value: bytes) -> None:
    counts = Counter(value)
    assert entropy(value) == pytest.approx(sum(-n / len(value) * math.log2(n / len(value)) for n in counts.values()))
    assert -1e-9 <= entropy(value) <= math.log2(len(value)) + 1e-9


@given(st.text(alphabet="abcXYZ019_-. $", max_size=12))
def test_letters_stand_together_with_digits(text: str) -> None:
    assert mixes(text.encode()) == (any(c.isalpha() for c in text) and any(c.isdigit() for c in text))


PLACEHOLDERS = ["${X}", "{{ password }}", "<token>", "xxxxxxxx", "********", "changeme", "your-key", "None", "%s", "$PASSWORD", "@password", "process.env.KEY",
                "os.environ['X']", "config.password", "<REDACTED:password>", "insert_here", "...", "aaaa", "abab", "#{secret}"]  # fmt: skip
SECRETS = ["hunter2!", "Tr0ub4dor&3", "q7Zt9LmX2vBn4KpWs8Rd", "S3cr3t_pass!", "p4$$w0rd-x"]
CODE = [
    "getpass()",
    "x) {",
    "a => b",
    "</div>",
    "/etc/passwd/",
    "https://x.example/y",
    "C:\\x",
    "~/.ssh",
    "self.password",
    "a.b.c",
    "obj->name",
    "ns::Name",
]


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_placeholders_are_no_secrets_whatever_asks(value: str) -> None:
    raw = value.encode()
    assert is_placeholder(raw)
    assert [is_password(raw, quoted=True), is_password(raw, quoted=False), is_strong(raw), is_random(raw, 4)] == [
        False
    ] * 4


@pytest.mark.parametrize("value", SECRETS)
def test_passwords(value: str) -> None:
    raw = value.encode()
    assert not is_placeholder(raw)
    assert is_password(raw, quoted=True)
    assert is_password(raw, quoted=False)
    assert is_strong(raw)


@pytest.mark.parametrize("value", CODE)
def test_code_and_places_are_no_passwords(value: str) -> None:
    assert not is_password(value.encode(), quoted=True)
    assert not is_password(value.encode(), quoted=False)


@given(st.binary(max_size=600), st.booleans())
def test_what_is_strong_or_bare_is_a_password_in_quotes_too(value: bytes, quoted: bool) -> None:
    """The judges are ordered: none is laxer than the one that its docstring calls weaker."""
    if is_strong(value):
        assert is_password(value, quoted=True)
    if is_random(value):
        assert mixes(value)
        assert not is_placeholder(value)
    if is_password(value, quoted=quoted):
        assert not is_placeholder(value)
        assert len(value) >= 4


def test_words_of_a_sentence_are_no_password_and_a_pass_phrase_with_digits_is() -> None:
    assert not is_password(b"is required for login", quoted=True)
    assert is_password(b"correct h0rse,battery staple", quoted=True)
    assert not is_password(b" ".join([b"w0rd!x"] * 9), quoted=True)
