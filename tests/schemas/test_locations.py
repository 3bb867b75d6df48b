"""Locations as they are shown: no password and no signature, and what is no secret stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StorageUnavailable
from schemas.locations import without_secrets

SECRETS = st.from_regex(r"[A-Za-z0-9/+:@%!~.-]{1,20}", fullmatch=True)
WORDS = st.text(st.characters(codec="ascii", exclude_characters="?#@"), max_size=20)


@given(st.sampled_from(["s3", "gs", "https", "kafka+ssl"]), SECRETS, WORDS, WORDS)
def test_a_password_never_stays(scheme: str, secret: str, before: str, after: str) -> None:
    marked = f"q{secret}q"
    shown = without_secrets(f"{before} {scheme}://user:{marked}@host/path {after}")
    assert marked not in shown
    assert "host/path" in shown


@given(
    st.sampled_from(["sig", "X-Amz-Signature", "token", "a.b~c"]),
    st.from_regex(r"[A-Za-z0-9%+/=-]{4,20}", fullmatch=True),
)
def test_a_signature_never_stays(name: str, secret: str) -> None:
    for mark in "?#":
        shown = without_secrets(f"cannot read https://host/a{mark}{name}=q{secret}q: Forbidden")
        assert f"q{secret}q" not in shown
        assert shown.startswith(f"cannot read https://host/a{mark}***")


@pytest.mark.parametrize(
    "text",
    [
        "cannot read gs://bucket/a@b/c.ndjson",
        "raw/what?.ndjson",
        "raw/[ab]?/x",
        "/home/a@b",
        "zofia@example.com",
        "1 = 1?",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


@given(st.text(max_size=60))
def test_hiding_twice_hides_no_more(text: str) -> None:
    once = without_secrets(text)
    assert without_secrets(once) == once


def test_our_errors_never_show_one() -> None:
    assert "secret" not in str(StorageUnavailable("cannot read https://u:secret@h/a?sig=secret: OSError"))
