"""What a collector stores, and what becomes of it."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """A request, or the part of one that stands under one stamp: a record of `raw_request.1`."""

    received_at_us: int
    client_ip: str | None
    telemetry_level: str
    snippet_consent: bool
    content_type: str | None
    content_encoding: str | None
    body: bytes


class Fate(Enum):
    """What became of a record; only what is durable may be acknowledged."""

    DURABLE = "durable"
    UNAVAILABLE = "unavailable"
    TOO_LARGE = "too_large"


class Committed(NamedTuple):
    """The fate of each record of a group, in order; `trouble` says in a few words why one is not durable."""

    fates: list[Fate]
    trouble: str | None = None


class Sink(Protocol):
    """Where records become durable. All of it is called from one thread, and none of it raises."""

    rolled_files: int

    def commit(self, records: Sequence[Record]) -> Committed:
        """Returns once each record is durable, or is known not to be."""
        ...

    def is_reachable(self) -> bool:
        """Tries whether a commit would succeed, without storing anything."""
        ...

    def tick(self) -> None:
        """What is due by time; called about twice a second."""
        ...

    def close(self) -> None:
        """Hands on what is stored; nothing is committed afterwards."""
        ...
