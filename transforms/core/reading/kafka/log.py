"""A Kafka topic as a log."""

import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import KafkaError, Message, TopicPartition

from schemas.errors import InvalidOptions, SourceUnavailable, TopicReplaced
from transforms.core.blocks import Block, Taken
from transforms.core.reading.kafka.admin import TopicAdmin, new_consumer, raise_if_fatal
from transforms.core.reading.kafka.messages import Arrived, block_of, place, unpacked
from transforms.core.reading.log import NOTHING_READ, LogPosition, ReadBefore
from transforms.core.topic_identity import part_name, partition_of

_BLOCK_BYTES = 32 * 1024 * 1024
"""Payload bytes in a block, about 12,000 events. To decode, protect and seal an event took 29 us in blocks of 10,000
and 35 us in blocks of 5,000."""

_POLL_MESSAGES = 250
"""Messages that one call returns at most. Brokers take messages of up to 1 MB, so a block may exceed its bytes by this
many MB."""

_PROOF_INTERVAL_S = 0.1
_DISCOVERY_INTERVAL_S = 10.0


class KafkaLog:
    """Reads the partitions of one reader; see `Log` for what it promises.

    The time of a message is its append time, but never less than the time that
    its partition has reached: if the broker's clock steps back, the message
    belongs to the open window. A partition without messages moves on only by
    proof: everything that was in it when the time was asked has been read.
    Offsets that were declared lost count as taken, without messages. Raises
    SourceUnavailable where the topic is another one than was read before, or no
    longer holds the messages that come next.
    """

    def __init__(
        self,
        servers: str,
        topic: str,
        config: dict[str, Any],
        start: LogPosition,
        reader: int,
        readers: int,
        before: ReadBefore = NOTHING_READ,
    ) -> None:
        self._topic = topic
        self._identity = before.identity
        self._generation = before.generation
        self._gaps = {partition_of(part): end for part, end in before.gaps.items()}
        self._mine = (reader, readers)
        self._admin = TopicAdmin(servers, topic, config)
        self._consumer = new_consumer(servers, config)
        self._accounted: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._reached_ms: dict[int, int] = {}
        self._start_ms = start.watermark_ms
        self._proved_at_s = self._discovered_at_s = 0.0
        self._assign({partition_of(part): offset for part, offset in start.positions.items()})

    def _assign(self, offsets: dict[int, int]) -> None:
        reader, readers = self._mine
        offsets = {p: o for p, o in offsets.items() if p % readers == reader and p not in self._next}
        starts = {p: max(o, self._gaps.get(p, 0)) for p, o in offsets.items()}
        if offsets:
            self._consumer.incremental_assign([TopicPartition(self._topic, p, o) for p, o in starts.items()])
        self._next |= starts
        self._accounted |= offsets
        self._reached_ms |= dict.fromkeys(offsets, self.position.watermark_ms)

    @property
    def position(self) -> LogPosition:
        """Where reading goes on."""
        reached = min(self._reached_ms.values(), default=self._start_ms)
        return LogPosition({self._part(p): o for p, o in self._accounted.items()}, max(reached, self._start_ms))

    def _part(self, partition: int) -> str:
        return part_name(partition, self._generation)

    def read(self, timeout_s: float, interval_s: int) -> Iterator[tuple[int, Block]]:
        """See `Log.read`."""
        self._discover()
        yield from self._lost()
        messages, reached = self._consume(timeout_s)
        yield from self._blocks(messages, interval_s * 1000)
        self._next |= {p: max(offset, self._next[p]) for p, offset in reached.items()}
        self._prove_idle()

    def _lost(self) -> Iterator[tuple[int, Block]]:
        """Offsets that were declared lost, as taken without messages; the window's mark then says how many they are."""
        lost = {p: end for p, end in self._gaps.items() if p in self._accounted and self._accounted[p] < end}
        self._gaps = {p: end for p, end in self._gaps.items() if p not in self._accounted}
        if lost:
            block = Block(taken=[Taken(self._part(p), self._accounted[p], end) for p, end in sorted(lost.items())])
            time_ms = self.position.watermark_ms
            self._accounted |= lost
            yield time_ms, block

    def _consume(self, timeout_s: float) -> tuple[list[Arrived], dict[int, int]]:
        """Messages until the timeout or a block's worth of bytes, and how far partitions are read to their end."""
        until_s = time.monotonic() + timeout_s
        arrived: list[Arrived] = []
        reached: dict[int, int] = {}
        size_bytes, left_s = 0, timeout_s
        while size_bytes < _BLOCK_BYTES and left_s > 0:
            for message in self._consumer.consume(_POLL_MESSAGES, left_s):
                error = message.error()
                if error is None:
                    arrived.append(unpacked(message))
                    size_bytes += len(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    reached[place(message)[0]] = place(message)[1]  # past what is no message: transactions' marks
                else:
                    self._raise_if_fatal(message)
            left_s = until_s - time.monotonic()
        return arrived, reached

    def _raise_if_fatal(self, message: Message) -> None:
        """A topic that was made anew is told as that, not by what its old positions lead to."""
        try:
            raise_if_fatal(message, self._topic)
        except SourceUnavailable as found:
            try:
                self._admin.check_is(self._identity)
            except TopicReplaced as better:
                raise better from None
            except SourceUnavailable:  # nobody can be asked
                raise found from None
            raise found from None

    def _blocks(self, messages: list[Arrived], interval_ms: int) -> Iterator[tuple[int, Block]]:
        """One block a window, with its earliest time."""
        windows: dict[int, tuple[int, list[Arrived], dict[int, int]]] = {}
        for message in messages:
            partition, appended_ms = message.partition, message.appended_ms
            if appended_ms is None:
                raise InvalidOptions(f"topic {self._topic} stopped to stamp messages with LogAppendTime; set it again")
            time_ms = self._reached_ms[partition] = max(appended_ms, self._reached_ms[partition])
            earliest, found, ends = windows.setdefault(time_ms // interval_ms, (time_ms, [], {}))
            if time_ms < earliest:
                windows[time_ms // interval_ms] = (time_ms, found, ends)
            found.append(message)
            ends[partition] = message.offset + 1
        for _, (earliest, found, ends) in sorted(windows.items()):
            block = block_of(found)
            for partition, end in sorted(ends.items()):
                block.taken.append(Taken(self._part(partition), self._accounted[partition], end))
                self._accounted[partition] = self._next[partition] = end
            yield earliest, block

    def _prove_idle(self) -> None:
        """Moves those partitions on of which everything is read that was there when the time was asked."""
        now_s = time.time()
        behind = min(self._reached_ms.values(), default=0) < (now_s - _PROOF_INTERVAL_S) * 1000
        if not behind or abs(now_s - self._proved_at_s) < _PROOF_INTERVAL_S:
            return
        self._proved_at_s = now_s
        try:
            ends = self._admin.end_offsets()
        except (SourceUnavailable, InvalidOptions):  # no proof while the broker is gone: the watermark stands still
            return
        for partition, next_offset in self._next.items():
            if next_offset >= ends.get(partition, next_offset + 1):
                self._reached_ms[partition] = max(int(now_s * 1000), self._reached_ms[partition])

    def _discover(self) -> None:
        """New partitions are read from their beginning; a topic that was made anew is not read."""
        if abs(time.time() - self._discovered_at_s) < _DISCOVERY_INTERVAL_S:
            return
        first = not self._discovered_at_s
        self._discovered_at_s = time.time()
        try:
            self._admin.check_is(self._identity)
            self._assign(self._admin.begin_offsets())
        except TopicReplaced:
            raise
        except (SourceUnavailable, InvalidOptions):  # a broker that is back may not know the topic yet
            if first:
                raise

    def close(self) -> None:
        """Lets the broker go."""
        self._consumer.close()
