"""Which topic a stream's positions are of: offsets of one topic say nothing about another one of the same name."""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.errors import TopicReplaced

_GENERATION = "@"


class TopicIdentity(NamedTuple):
    """Ids that the brokers give; None where they do not say (topics have none before Kafka 2.8)."""

    cluster_id: str | None = None
    topic_id: str | None = None


def check_same(topic: str, kept: TopicIdentity, found: TopicIdentity) -> None:
    """Raises TopicReplaced, with what to do, where the topic is another one than the one that was read so far."""
    for what, before, now in (
        ("is of another cluster", kept.cluster_id, found.cluster_id),
        ("was deleted and made anew", kept.topic_id, found.topic_id),
    ):
        if before and now and before != now:
            raise TopicReplaced(
                f"topic {topic} {what} since this output read it (id {before} then, {now} now), and positions in the "
                f"old one say nothing about it: {NEW_TOPIC}"
            )


NEW_TOPIC = (
    "write to a new --output, or add --start new_topic, which goes on with this output and reads the topic from its "
    "beginning"
)
"""What to do where the topic is not the one that was read."""

EARLIEST_LEFT = (
    "add --start earliest_left to go on from the oldest message that is left; the ledger then counts what was before "
    "it as lost"
)
"""What to do where retention removed messages before they were read."""


def part_name(partition: int, generation: str = "") -> str:
    """The name of a partition in positions; for a topic that was made anew, with its generation."""
    return f"{partition}{_GENERATION}{generation}" if generation else str(partition)


def partition_of(part: str) -> int:
    """The inverse of `part_name`."""
    return int(part.partition(_GENERATION)[0])


def generations(parts: Iterable[str]) -> set[str]:
    """The generations in the names of partitions; that of the topic that an output began with is empty."""
    return {part.partition(_GENERATION)[2] for part in parts}
