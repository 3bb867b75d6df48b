"""An endless source: the interface of topics and watched folders."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from transforms.core.blocks import Block
from transforms.core.topic_identity import TopicIdentity


class LogPosition(NamedTuple):
    """Where reading goes on: for each partition its next offset, or for each file how many bytes of it were taken.

    `watermark_ms` is a time in milliseconds since 1970: nothing older will come.
    """

    positions: dict[str, int]
    watermark_ms: int


class LogSource(NamedTuple):
    """How to reach a log. It stands in the job graph, so it has a path to secrets and never secrets."""

    uri: str
    kafka_config: str | None = None


class ReadBefore(NamedTuple):
    """What the output knows about a log: the positions up to which whole windows hold it, and a topic's identity.

    `gaps` are spans that were declared lost: by partition, the offset at which such a span ends. It begins at the
    position.
    """

    positions: Mapping[str, int] = {}
    identity: TopicIdentity = TopicIdentity()
    generation: str = ""
    gaps: Mapping[str, int] = {}


NOTHING_READ = ReadBefore()
"""A log that the output has not read yet."""


class Log(Protocol):
    """Gives blocks in the log's own time, each once. A log only grows; nothing in it changes."""

    @property
    def position(self) -> LogPosition:
        """Where reading goes on after the blocks that were given."""

    def read(self, timeout_s: float, interval_s: int) -> Iterator[tuple[int, Block]]:
        """Blocks that have come, each with its earliest time in milliseconds; waits at most for the timeout.

        No block holds payloads of two windows of the interval, and none is older than the watermark was before the
        call. The iterator must be read to its end. Raises SourceUnavailable or StorageUnavailable where trying
        again does not help.
        """

    def close(self) -> None:
        """Lets it go."""
