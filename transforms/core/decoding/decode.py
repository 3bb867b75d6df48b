"""Blocks of payloads -> unprotected batches per dataset, quarantine rows and counts."""

from collections.abc import Iterator
from itertools import repeat

from schemas.known_values import PACKAGED, Vocabulary
from transforms.core.batches import EventBatch, ranges_batch, taken_batch
from transforms.core.blocks import Block
from transforms.core.decoding.decoded import DecodedPart, Event
from transforms.core.decoding.event_names import outside_names
from transforms.core.keys.step_keys import QuarantineKeys
from transforms.core.quarantine.unprocessable import STOPPING, Unprocessable, in_parts


class BlockDecoder:
    """Decodes blocks; holds the operators' public key, so it is made in `setup`.

    Every event is counted once under `events`, and lands in exactly one of:
    a primary row of a dataset, withheld, outside_contract, quarantine.
    """

    def __init__(
        self,
        ring: QuarantineKeys,
        buckets: int,
        vocabulary: Vocabulary = PACKAGED,
        unprocessable: Unprocessable | None = None,
    ) -> None:
        self._ring = ring
        self._buckets = buckets
        self._outside_kind = outside_names(vocabulary)
        self._unprocessable = unprocessable or Unprocessable()
        self.events = 0

    def decode(self, block: Block) -> Iterator[EventBatch]:
        """The block's batches: datasets first, then quarantine, counts, and what was read of a stream or range.

        Where our own code fails on one of its payloads, that one goes aside and the others come out as if
        it had not been there. Raises InternalError where more went aside than may.
        """
        try:
            whole = self._part()
            whole.take_lines(block.lines)
            whole.take(whole.events_of(block.requests))
            whole.add_unreadable(block.unreadable)
            batches = whole.batches()
            self.events = whole.events
        except STOPPING:
            raise
        except Exception:  # noqa: BLE001 - a bug of ours: done again in parts, which name it
            batches = list(self._batches_of_parts(block))
        del whole
        self._unprocessable.saw(self.events)
        batches += [b for b in (taken_batch(block.taken), ranges_batch(block.read)) if b is not None]
        batches.reverse()
        while batches:
            yield batches.pop()  # so that each can be forgotten when it is protected

    def _part(self) -> DecodedPart:
        return DecodedPart(self._ring, self._buckets, self._outside_kind, self._unprocessable)

    def _batches_of_parts(self, block: Block) -> Iterator[EventBatch]:
        self.events = 0
        frame = self._part()  # what is of no single event: payloads of requests, refused bodies
        events = list(frame.events_of(block.requests, alone=True))
        frame.add_unreadable(block.unreadable)
        lines: list[Event] = list(zip(block.lines, repeat(None), repeat(None), strict=False))
        for found in (lines, events):
            for part in self._parts_of(found, is_lines=found is lines):
                yield from part
        self.events += frame.events
        yield from frame.batches()

    def _parts_of(self, events: list[Event], *, is_lines: bool) -> Iterator[list[EventBatch]]:
        def finished(part: DecodedPart) -> list[EventBatch]:
            if is_lines:
                part.count_lines()
            batches = part.batches()
            self.events += part.events
            return batches

        def together(some: list[Event]) -> list[EventBatch]:
            part = self._part()
            part.expect(len(some))
            part.take(some)
            return finished(part)

        def alone(event: list[Event], error: Exception) -> list[EventBatch]:
            part = self._part()
            part.expect(1)
            part.put_aside(*event[0], error)
            return finished(part)

        return in_parts(events, together, alone) if events else iter(())
