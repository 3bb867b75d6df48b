"""DecodeEvents: blocks of payloads -> unprotected batches per dataset."""

from collections.abc import Iterator

import apache_beam as beam

from schemas.known_values import PACKAGED, Vocabulary
from transforms.core import keyring
from transforms.core.batches import EventBatch
from transforms.core.blocks import Block
from transforms.core.decode import BlockDecoder
from transforms.core.guard import payload_free_errors
from transforms.core.progress import PROGRESS


class _Decode(beam.DoFn):
    def __init__(self, key_ring: str, buckets: int, vocabulary: Vocabulary) -> None:
        self._key_ring = key_ring
        self._buckets = buckets
        self._vocabulary = vocabulary

    def setup(self) -> None:
        self._decoder = BlockDecoder(keyring.load(self._key_ring), self._buckets, self._vocabulary)

    def process(self, block: Block) -> Iterator[EventBatch]:
        with payload_free_errors():
            yield from self._decoder.decode(block)
            PROGRESS.add(events=self._decoder.events)


class DecodeEvents(beam.PTransform):
    """Blocks -> batches of the fields that schemas name, still clear; quarantine rows; counts.

    Default deny: what no schema names is never read. Events above their user's
    level are withheld here, unknown ones counted, undecodable ones sealed to
    the operators. Every event is counted once. Raises KeyUnavailable in setup.
    """

    def __init__(self, key_ring: str, buckets: int, vocabulary: Vocabulary = PACKAGED) -> None:
        super().__init__()
        self._key_ring = key_ring
        self._buckets = buckets
        self._vocabulary = vocabulary

    def expand(self, blocks: beam.PCollection[Block]) -> beam.PCollection[EventBatch]:
        decode = beam.ParDo(_Decode(self._key_ring, self._buckets, self._vocabulary))
        return blocks | "Decode" >> decode.with_output_types(EventBatch)
