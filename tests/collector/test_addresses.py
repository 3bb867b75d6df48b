"""Whose request it is: behind proxies of our own, with headers that anybody may forge."""

import ipaddress
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.collector.addresses import AddressReader, networks
from schemas.errors import InvalidOptions

OURS = networks("127.0.0.0/8,::1,10.0.0.0/8,fd00::/8")

FORWARDED = {
    "no header": ([], "127.0.0.1"),
    "one hop": (["203.0.113.7"], "203.0.113.7"),
    "the last hop that is not ours": (["6.6.6.6, 203.0.113.7, 127.0.0.9"], "203.0.113.7"),
    "two header lines": (["6.6.6.6", "203.0.113.7"], "203.0.113.7"),
    "a port": (["203.0.113.7:4711"], "203.0.113.7"),
    "IPv6": (["2001:db8::7"], "2001:db8::7"),
    "IPv6 with a port": (["[2001:db8::7]:443"], "2001:db8::7"),
    "IPv6 with a zone": (["fe80::7%eth0"], "fe80::7"),
    "IPv4 in IPv6": (["::ffff:203.0.113.7"], "203.0.113.7"),
    "all ours": (["127.0.0.3, 127.0.0.2"], "127.0.0.3"),
    "unknown": (["203.0.113.7, unknown"], None),
    "rubbish": (["203.0.113.7, <script>"], None),
    "an empty last hop": (["203.0.113.7, "], None),
    "endless": (["6.6.6.6, " * 10_000 + "203.0.113.7"], "203.0.113.7"),
}


@pytest.mark.parametrize("kind", FORWARDED)
def test_whose_address_it_is_behind_a_proxy(kind: str) -> None:
    lines, expected = FORWARDED[kind]
    reader = AddressReader(networks("127.0.0.0/8"), "x-forwarded-for")
    assert reader.client("127.0.0.1", lines) == expected
    assert reader.client("::ffff:127.0.0.1", lines or ["127.0.0.1"]) in (expected, "127.0.0.1")
    assert reader.client("198.51.100.1", lines) == "198.51.100.1", "a stranger's header is not believed"
    assert AddressReader((), "x-forwarded-for").client("127.0.0.1", lines) == "127.0.0.1"


RFC_7239 = {
    "for=203.0.113.7": "203.0.113.7",
    'For="[2001:db8::7]:4711"': "2001:db8::7",
    "for=6.6.6.6;proto=http, for=203.0.113.7;proto=https;by=203.0.113.43": "203.0.113.7",
    'for=6.6.6.6, For="203.0.113.7:99" ; host="a,b;c", for=127.0.0.5': "203.0.113.7",
    'for="20\\3.0.113.7"': "203.0.113.7",
    "for=_hidden": None,
    "for=unknown": None,
    "proto=https": None,
    'for="203.0.113.7': None,
    "for=203.0.113.7, nonsense": None,
}


@pytest.mark.parametrize("header", RFC_7239)
def test_the_header_of_rfc_7239(header: str) -> None:
    reader = AddressReader(networks("127.0.0.0/8"), "forwarded")
    assert reader.client("127.0.0.1", [header]) == RFC_7239[header]


@given(st.text(max_size=80), st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_no_header_stops_it_or_lands_as_it_is(header: str, name: str) -> None:
    found = AddressReader(networks("127.0.0.0/8,::1"), name).client("127.0.0.1", [header])
    assert found is None or ipaddress.ip_address(found)


ADDRESSES = st.ip_addresses().map(str) | st.sampled_from(
    ["10.1.2.3", "127.0.0.2", "fd00::7", "::1", "203.0.113.7", "::ffff:10.1.1.1", "::ffff:203.0.113.9"]
)


def plain(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def is_ours(text: str) -> bool:
    return any(plain(text) in network for network in OURS)


@given(st.lists(ADDRESSES, max_size=6), ADDRESSES, st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_the_last_hop_that_is_not_ours_against_a_slow_model(hops: list[str], peer: str, header: str) -> None:
    """What a client wrote in front of what our proxies wrote is never believed."""
    written = (
        hops
        if header == "x-forwarded-for"
        else [f'for="[{h}]:80"' if ":" in h else f"for={h};proto=https" for h in hops]
    )
    expected = peer
    if is_ours(peer):
        chain = [*hops, peer]
        while len(chain) > 1 and is_ours(chain[-1]):
            chain.pop()
        expected = str(plain(chain[-1]))
    for lines in ([", ".join(written)] if written else [], written):
        assert AddressReader(OURS, header).client(peer, lines) == expected


@given(st.text(alphabet=string.printable, max_size=60), st.ip_addresses(v=4).filter(lambda a: not is_ours(str(a))))
def test_whatever_a_client_forges_the_proxys_word_counts(forged: str, client: ipaddress.IPv4Address) -> None:
    assert AddressReader(OURS, "x-forwarded-for").client("10.0.0.1", [forged, str(client)]) == str(client)


@pytest.mark.parametrize("text", ["", ",", "10.0.0.0/33", "10.0.0.1/8", "proxy", "::1,", "1.2.3", "10.0.0.0/8;::1"])
def test_what_are_no_networks_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidOptions, match=r"^--trusted_proxies [^\n]*allowed are addresses and networks"):
        networks(text)


def test_a_connection_without_a_peer_has_no_address() -> None:
    assert AddressReader(OURS, "forwarded").client(None, ["for=203.0.113.7"]) is None
