"""An endless source: what the endless job asks of a topic or a watched folder."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from transforms.core.blocks import Block
from transforms.core.topic_identity import TopicIdentity


class LogPosition(NamedTuple):
    """Where reading goes on: the next position of each partition, or what was taken of each file, and the
    time (milliseconds since 1970) before which nothing will come any more.
    """

    positions: dict[str, int]
    watermark_ms: int


class LogSource(NamedTuple):
    """How to reach a log; a path to secrets, never secrets: it stands in the job graph."""

    uri: str
    kafka_config: str | None = None


class ReadBefore(NamedTuple):
    """What the output knows of a log: up to where whole windows hold it, and of a topic which one it is.

    `gaps` are spans of partitions that were declared lost, from the position on up to what was left.
    """

    positions: Mapping[str, int] = {}
    identity: TopicIdentity = TopicIdentity()
    generation: str = ""
    gaps: Mapping[str, int] = {}


NOTHING_READ = ReadBefore()
"""A log that the output has not read yet."""


class Log(Protocol):
    """Blocks in the log's own time, each once; what it holds is never changed, only added to."""

    @property
    def position(self) -> LogPosition:
        """Where reading goes on after the blocks that were given."""

    def read(self, timeout_s: float, interval_s: int) -> Iterator[tuple[int, Block]]:
        """What has come, with its earliest time in milliseconds; waits at most the timeout.

        No block holds payloads of two windows of the interval, none is older
        than the watermark of the position before. To be read to its end. Raises
        SourceUnavailable, StorageUnavailable where trying again does not help.
        """

    def close(self) -> None:
        """Lets it go."""
