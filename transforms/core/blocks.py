"""Blocks: payloads that are read together, in the form in which a container holds them."""

import os
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.errors import Reason

MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
"""A line or body longer than this is quarantined without its bytes; VS Code's clients stop at 1 MB."""

BLOCK_BYTES = 64 * 1024 * 1024
"""Payload bytes in a block: large enough that per-batch cost vanishes (at 3 MB it doubles the CPU time of an
event, at 32 MB it is a twentieth), small enough to bound memory: the job takes 30 MB more than with 32."""


class RawRequest(NamedTuple):
    """One HTTP request of an Avro container: `raw_request.1.avsc`, its time as ISO text."""

    received_at: str
    client_ip: str | None
    telemetry_level: str | None
    snippet_consent: bool | None
    content_type: str | None
    content_encoding: str | None
    body: bytes
    is_stamped: bool = True
    """False: the request has no stamp, only a time; events in it may bear stamps of their own."""


class Unreadable(NamedTuple):
    """A part of a file that cannot become payloads: why, its length, and an identity that stays the same."""

    reason: Reason
    payload_bytes: int
    identity: bytes


def part_of_file(path: str, *offsets: int) -> bytes:
    """The identity of an unreadable part: its file, and where the part begins, unless it is the end of the file."""
    return b"\0".join([b"file", os.fsencode(path), *(str(offset).encode() for offset in offsets)])


class Taken(NamedTuple):
    """What a stream's block took of a partition or file: from position `begin` up to `end`, exclusive."""

    part: str
    begin: int
    end: int


class RangeRead(NamedTuple):
    """What a block took of a range of a source file: bytes as stored. The range's last block tells its payloads."""

    range: str
    read_bytes: int
    payloads: int


@dataclass
class Block:
    """Payloads read together: raw NDJSON lines, requests of an Avro container, or what was unreadable.

    Never crosses a shuffle; pickling one is refused, because it holds addresses and code.
    """

    lines: list[bytes] = field(default_factory=list)
    requests: list[RawRequest] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    read: list[RangeRead] = field(default_factory=list)
    cut_bytes: int = 0
    """Bytes that were cut into these lines, blank ones and line ends among them."""

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("unprotected payloads must not leave the stage that reads them")
