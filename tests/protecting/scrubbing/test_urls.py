"""Credentials in URLs, against the standard library's reading of them."""

from collections import Counter
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.scrub import CODE, scrub_text

USER = st.text(alphabet="abcxyz019._-", min_size=2, max_size=12).map("u{}".format)
PASSWORD = st.text(alphabet="ABCXYZ0123456789!$&*+,;=._~-", min_size=1, max_size=16).map("q{}7Zt9".format)
SCHEMES = ["https", "http", "redis", "postgresql", "mongodb+srv", "amqps", "ftp", "ssh"]


def scrubbed(text: str) -> str:
    return scrub_text(text, CODE, Counter())


@given(
    st.sampled_from(SCHEMES),
    USER,
    PASSWORD,
    st.sampled_from(["db.example:5432/x", "10.1.2.3/", "host", "[::1]:80/x?y#z"]),
)
def test_what_urlsplit_calls_a_password_goes(scheme: str, user: str, password: str, rest: str) -> None:
    url = f"{scheme}://{user}:{password}@{rest}"
    assert urlsplit(url).password == password
    for text in (url, f"x = '{url}'", f"({url})", f"{scheme}:\\/\\/{user}:{password}@{rest}"):
        out = scrubbed(text)
        assert password not in out, out
        assert f"{scheme}:" in out
        assert "<REDACTED:url_credentials>@" in out


@pytest.mark.parametrize(
    "text",
    ["https://example.com/a@b", "https://example.com:8080/@scope/pkg@1.0.0", "ssh://git@github.com/a/b", "https://user:password@host/x", "https://${USER}:${PASS}@h/x",
     "https://<user>:<token>@h", "https://a.example/?q=x@y", "http://h:80/a:b@c", "git+https://github.com/a/b@v1", "postgres://root@localhost/x"],
)  # fmt: skip
def test_urls_without_credentials_stay(text: str) -> None:
    assert scrubbed(text) == text


@pytest.mark.parametrize(
    "text", ["redis://:s3cretpw@host:6379", "https://ghtoken12345@github.com/a", "https%3A%2F%2Fann:hunter2x@h.example"]
)
def test_a_password_or_a_token_alone(text: str) -> None:
    out = scrubbed(text)
    assert "<REDACTED:" in out
    assert not [p for p in ("s3cretpw", "ghtoken12345", "hunter2x") if p in out]
