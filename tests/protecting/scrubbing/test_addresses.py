"""Addresses of people and machines, against the standard library's own idea of an address."""

import ipaddress
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from transforms.core.protecting.scrub import CODE, scrub_text

AROUND = [
    "{}",
    "x {} y",
    "({})",
    "'{}'",
    "host={};",
    "\n{}\n",
    "[{}]",
    "é {} 王",
    "\U0001f600 {} \U0001f600",
    '{{"a": "{}"}}',
    "<b>{}</b>",
]


def scrubbed(text: str) -> tuple[str, Counter[str]]:
    counts: Counter[str] = Counter()
    return scrub_text(text, CODE, counts), counts


@given(st.ip_addresses(v=4), st.sampled_from(AROUND))
def test_every_ipv4_address_goes_but_loopback_and_what_looks_like_a_version(
    address: ipaddress.IPv4Address, around: str
) -> None:
    octets = address.packed
    assume(octets[0] not in (0, 127, 255))
    assume(max(octets[:3]) >= 10 and not (octets[0] < 3 and octets[1] < 10))
    assume(octets[0] >= 30 or octets[0] == 10)
    out, counts = scrubbed(around.format(address))
    assert out == around.format("<REDACTED:ip_address>")
    assert counts == {"ip_address": 1}


@given(st.ip_addresses(v=6), st.sampled_from(AROUND), st.booleans())
def test_every_ipv6_address_goes(address: ipaddress.IPv6Address, around: str, is_long: bool) -> None:
    text = address.exploded if is_long else str(address)
    assume(len([g for g in text.split(":") if g]) >= 3 and any(c.isdigit() for c in text) and not address.is_loopback)
    out, _ = scrubbed(around.format(text))
    assert out == around.format("<REDACTED:ip_address>"), text


@given(st.lists(st.integers(0, 999), min_size=3, max_size=6))
def test_numbers_with_dots_that_are_no_address_stay(numbers: list[int]) -> None:
    text = ".".join(map(str, numbers))
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        out, _ = scrubbed(f"v {text} x")
        assert out in (f"v {text} x", "v <REDACTED:phone> x")
        assert "ip_address" not in out


@given(st.text(alphabet="0123456789abcdef:", max_size=40))
def test_only_what_the_library_reads_is_an_ipv6_address(text: str) -> None:
    _, counts = scrubbed(f" {text} ")
    if counts["ip_address"]:
        runs = [text, text.strip(":"), text[1:], text[:-1], text.rstrip(":"), text.lstrip(":")]
        assert any(_reads(run) for run in runs), text


def _reads(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


LOCAL = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._%+-]{0,20}", fullmatch=True).filter(lambda s: s != "git")
LABEL = st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True)


@given(
    LOCAL,
    st.lists(LABEL, min_size=1, max_size=3),
    st.sampled_from(["com", "de", "example", "museum", "みんな", "co.uk"]),
    st.sampled_from(AROUND),
)
def test_every_mailbox_goes(local: str, labels: list[str], top: str, around: str) -> None:
    out, _ = scrubbed(around.format(f"{local}@{'.'.join(labels)}.{top}"))
    assert "@" not in out
    assert all(label not in out for label in labels if len(label) > 9)


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:a/b",
        "npm i react@18.2.0",
        "a@b",
        "@decorator.x",
        "img@2x.png",
        "user@",
        "@",
        "a@b.c1.png",
        "x = a @ b.T",
    ],
)
def test_what_is_no_mailbox_stays(text: str) -> None:
    assert scrubbed(text)[0] == text


@given(st.binary(min_size=6, max_size=6), st.sampled_from([":", "-"]), st.booleans())
def test_mac_addresses(raw: bytes, sign: str, upper: bool) -> None:
    text = raw.hex(sign)
    text = text.upper() if upper else text
    out, counts = scrubbed(f"eth0 {text} up")
    is_plain = len(set(raw.hex())) < 3
    assert out == (f"eth0 {text} up" if is_plain else f"eth0 <REDACTED:{next(iter(counts))}> up")
    assert is_plain or set(counts) <= {"mac_address", "ip_address"}


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "::1",
        "0.0.0.0",
        "std::vector",
        "a::b",
        "12:34:56",
        "1.2.3.4",
        "2.5.29.15",
        "1.0.0.10-beta",
        "python==3.11.2.1",
    ],
)
def test_what_is_no_address_of_anybody_stays(text: str) -> None:
    assert scrubbed(text)[0] == text
