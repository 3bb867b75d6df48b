"""The address of a request's client: the last hop that is not one of our own proxies."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from schemas.errors import InvalidOptions

Network = IPv4Network | IPv6Network
_PAIR = re.compile(r'\s*([A-Za-z0-9_-]+)=("(?:[^"\\]|\\.)*"|[^",;\s]*)\s*(;|,|$)')
_BRACKETED = re.compile(r"\[([^\]]*)\](?::\d+)?")
_MAX_HEADER_CHARS = 4096
"""Only the end of a longer header is read, because our own proxies write at the end."""


def networks(text: str) -> tuple[Network, ...]:
    """The networks of `--trusted_proxies`; raises InvalidOptions."""
    found = []
    for part in text.split(","):
        try:
            found.append(ip_network(part.strip()))
        except ValueError:
            raise InvalidOptions(
                f"--trusted_proxies {part.strip()!r}: allowed are addresses and networks, as in 10.0.0.0/8,::1"
            ) from None
    return tuple(found)


class AddressReader:
    """Knows which hops are ours, and which header they write."""

    def __init__(self, trusted: Sequence[Network], header: str) -> None:
        """`header` is `x-forwarded-for` or `forwarded`, the one that the proxies write: the other passes through them
        as the client sent it.
        """
        self._trusted = trusted
        self.header = header
        self._hops = _hops_of_forwarded if header == "forwarded" else _hops_of_list

    def client(self, peer: str | None, header_lines: Iterable[str]) -> str | None:
        """The client's address; None where a proxy of ours does not name one that can be read."""
        if peer is None or not self._trusted:
            return peer
        address = _address(peer)
        if address is None or not self._is_ours(address):
            return peer
        for hop in reversed(self._hops(",".join(header_lines)[-_MAX_HEADER_CHARS:])):
            address = _address(hop)
            if address is None:
                return None
            if not self._is_ours(address):
                break
        return str(address)

    def _is_ours(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def _address(hop: str) -> IPv4Address | IPv6Address | None:
    """The address of a hop: with a port or without, in brackets or not; None of `unknown` and names."""
    hop = hop.strip()
    bracketed = _BRACKETED.fullmatch(hop)
    if bracketed:
        hop = bracketed[1]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        address = ip_address(hop.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def _hops_of_list(header: str) -> list[str]:
    """The hops of X-Forwarded-For, in the order in which they were added."""
    return header.split(",") if header.strip() else []


def _hops_of_forwarded(header: str) -> list[str]:
    """The `for` of each element of Forwarded (RFC 7239); what follows a mistake is one hop that cannot be read."""
    hops: list[str] = []
    current, at = "", 0
    while at < len(header):
        found = _PAIR.match(header, at)
        if found is None:
            return [*hops, "unreadable"]
        name, value, end = found.groups()
        if name.lower() == "for":
            current = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        if end != ";":
            hops.append(current)
            current = ""
        at = found.end()
    return hops
