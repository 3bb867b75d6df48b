"""DecodeEvents: blocks of payloads -> unprotected batches per dataset."""

from collections.abc import Iterator

import apache_beam as beam

from schemas.known_values import PACKAGED, Vocabulary
from schemas.manifests import NO_MANIFESTS, Manifests
from transforms.core.batches import EventBatch
from transforms.core.blocks import Block
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.guard import payload_free_errors
from transforms.core.keys.open_ring import open_quarantine
from transforms.core.quarantine.unprocessable import Unprocessable
from transforms.counters import DECODED_EVENTS


class _Decode(beam.DoFn):
    def __init__(
        self, key_ring: str, slots: int, vocabulary: Vocabulary, unprocessable: Unprocessable, manifests: Manifests
    ) -> None:
        self._key_ring = key_ring
        self._slots = slots
        self._vocabulary = vocabulary
        self._unprocessable = unprocessable
        self._manifests = manifests

    def setup(self) -> None:
        self._keys = open_quarantine(self._key_ring)
        self._decoder = BlockDecoder(self._keys, self._slots, self._vocabulary, self._unprocessable, self._manifests)

    def start_bundle(self) -> None:
        """An endless job sees months that were added to the ring, or destroyed, since it began."""
        if open_quarantine(self._key_ring) is not self._keys:
            self.setup()

    def process(self, block: Block) -> Iterator[EventBatch]:
        with payload_free_errors():
            decoded = self._decoder.decode(block)
            yield from decoded
            DECODED_EVENTS.add(decoded.events)


class DecodeEvents(beam.PTransform):
    """Blocks -> batches of the fields that schemas name, still clear; quarantine rows; counts.

    Default deny: a member that no schema names is never read. Events above their user's level are withheld
    here, and events that neither a schema nor a manifest names are counted and dropped. An event is quarantined if it
    cannot be decoded, holds an invalid value, was received in a month without a key, or makes our own code fail. Every
    event is counted once. Raises KeyUnavailable in setup, and InternalError where our code fails on more events than it
    may.
    """

    def __init__(
        self,
        key_ring: str,
        slots: int,
        vocabulary: Vocabulary = PACKAGED,
        unprocessable: Unprocessable | None = None,
        manifests: Manifests = NO_MANIFESTS,
    ) -> None:
        super().__init__()
        self._do_fn = _Decode(key_ring, slots, vocabulary, unprocessable or Unprocessable(), manifests)

    def expand(self, blocks: beam.PCollection[Block]) -> beam.PCollection[EventBatch]:
        return blocks | "Decode" >> beam.ParDo(self._do_fn).with_output_types(EventBatch)
