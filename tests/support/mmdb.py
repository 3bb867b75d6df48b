"""Writes small databases in MaxMind's format, of any records."""

import struct
from ipaddress import ip_network
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"


def _control(kind: int, size: int) -> bytes:
    extended = b"" if kind < 8 else bytes([kind - 7])
    first = (kind << 5) if kind < 8 else 0
    if size < 29:
        return bytes([first | size]) + extended
    if size < 285:
        return bytes([first | 29]) + extended + bytes([size - 29])
    return bytes([first | 30]) + extended + struct.pack(">H", size - 285)


def encode(value: Any) -> bytes:
    if isinstance(value, bool):
        return _control(14, int(value))
    if isinstance(value, str):
        return _control(2, len(value.encode())) + value.encode()
    if isinstance(value, float):
        return _control(3, 8) + struct.pack(">d", value)
    if isinstance(value, int):
        raw = value.to_bytes(8, "big").lstrip(b"\0")
        return _control(9, len(raw)) + raw
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(encode, value))
    return _control(7, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())


def write_mmdb(
    path: Path, records: dict[str, Any], kind: str = "Test-City", version: int = 6, build_epoch: Any = 1_790_000_000
) -> Path:
    """A database of 32-bit records; `records` by network, IPv4 ones below ::/96 where it is of IPv6."""
    nodes: list[list[Any]] = [[None, None]]
    for text, record in records.items():
        network = ip_network(text)
        bits = [int(b) for b in f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]]
        if version == 6 and network.version == 4:
            bits = [0] * 96 + bits
        node = 0
        for bit in bits[:-1]:
            if nodes[node][bit] is None:
                nodes.append([None, None])
                nodes[node][bit] = len(nodes) - 1
            node = nodes[node][bit]
        nodes[node][bits[-1]] = encode(record)
    data, tree = b"", b""
    for pair in nodes:
        for target in pair:
            if isinstance(target, bytes):
                tree += struct.pack(">I", len(nodes) + 16 + len(data))
                data += target
            else:
                tree += struct.pack(">I", len(nodes) if target is None else target)
    metadata = {
        "node_count": len(nodes), "record_size": 32, "ip_version": version, "database_type": kind,
        "languages": ["en"], "binary_format_major_version": 2, "binary_format_minor_version": 0,
        "build_epoch": build_epoch, "description": {"en": "made by a test"},
    }  # fmt: skip
    path.write_bytes(tree + b"\0" * 16 + data + _MARKER + encode(metadata))
    return path
