"""Blocks of payloads -> unprotected batches per dataset, quarantine rows and counts."""

from collections.abc import Iterator
from itertools import repeat

from schemas.fields import LISTED
from schemas.known_values import PACKAGED, Vocabulary
from schemas.manifests import NO_MANIFESTS, Manifests
from schemas.registry import event_schemas
from transforms.core.batches import EventBatch, ranges_batch, taken_batch
from transforms.core.blocks import Block
from transforms.core.decoding.decoded import Decoded, DecodedPart, DecodeSettings, Event
from transforms.core.decoding.event_names import counted_names
from transforms.core.keys.step_keys import QuarantineKeys
from transforms.core.quarantine.unprocessable import STOPPING, Unprocessable, in_parts


class DecodedBlock:
    """The batches of one block, and how many events were in it.

    Iterating gives the batches away, each once, so that each can be forgotten
    when it is protected.
    """

    def __init__(self, events: int, batches: list[EventBatch]) -> None:
        self.events = events
        self._waiting = batches[::-1]

    def __iter__(self) -> Iterator[EventBatch]:
        while self._waiting:
            yield self._waiting.pop()


class BlockDecoder:
    """Decodes blocks. It holds what is fixed for a run and nothing of a block; it is made in `setup`, for its keys.

    Every event is counted once under `events`, and lands in exactly one of:
    a primary row of a dataset, withheld, outside_contract, quarantine.
    """

    def __init__(
        self,
        ring: QuarantineKeys,
        slots: int,
        vocabulary: Vocabulary = PACKAGED,
        unprocessable: Unprocessable | None = None,
        manifests: Manifests = NO_MANIFESTS,
    ) -> None:
        bugs = unprocessable or Unprocessable()
        unread = _unread(vocabulary)
        self._settings = DecodeSettings(ring, slots, counted_names(vocabulary), bugs, unread, manifests)

    def decode(self, block: Block) -> DecodedBlock:
        """The block's batches: datasets first, then quarantine, counts, and what was read of a stream or range.

        Where our own code fails on one of its payloads, that one goes aside and the others come out as if
        it had not been there. Raises InternalError where more payloads went aside than may.
        """
        try:
            found = self._whole(block)
        except STOPPING:
            raise
        except Exception:  # noqa: BLE001 - a bug of ours: the block is decoded again in parts, which name the bug
            found = self._in_parts(block)
        self._settings.unprocessable.saw(found.events)
        told = (taken_batch(block.taken), ranges_batch(block.read))
        return DecodedBlock(found.events, [*found.batches, *(batch for batch in told if batch is not None)])

    def _whole(self, block: Block) -> Decoded:
        part = DecodedPart(self._settings)
        part.add_lines(block.lines)
        part.add_events(part.events_of(block.requests))
        part.add_unreadable(block.unreadable)
        return part.finish()

    def _in_parts(self, block: Block) -> Decoded:
        events, frame = self.split(block)
        lines: list[Event] = list(zip(block.lines, repeat(None), repeat(None), strict=False))
        parts = [*self.parts_of(lines, are_lines=True), *self.parts_of(events, are_lines=False), frame]
        return Decoded(sum(part.events for part in parts), [batch for part in parts for batch in part.batches])

    def split(self, block: Block) -> tuple[list[Event], Decoded]:
        """The events of the block's requests; and what belongs to no single event: payloads, refused bodies."""
        frame = DecodedPart(self._settings)
        events = list(frame.events_of(block.requests, alone=True))
        frame.add_unreadable(block.unreadable)
        return events, frame.finish()

    def parts_of(self, events: list[Event], *, are_lines: bool) -> Iterator[Decoded]:
        """The events in as few parts as it takes for each part to succeed; an event that fails alone goes aside."""

        def together(some: list[Event]) -> Decoded:
            part = DecodedPart(self._settings)
            part.expect(len(some))
            part.add_events(some)
            return finished(part)

        def alone(event: list[Event], error: Exception) -> Decoded:
            part = DecodedPart(self._settings)
            part.expect(1)
            part.put_aside(*event[0], error)
            return finished(part)

        def finished(part: DecodedPart) -> Decoded:
            if are_lines:
                part.count_lines()
            return part.finish()

        return in_parts(events, together, alone) if events else iter(())


def _unread(vocabulary: Vocabulary) -> frozenset[str]:
    fields = (field for schema in event_schemas().values() for field in schema.fields if field.parse == LISTED)
    return frozenset(field.name for field in fields if not vocabulary.known(field.known_list).values)
