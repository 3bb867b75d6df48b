"""ReadQuarantine: parts of quarantine files -> blocks of the payloads that they hold, opened."""

from collections.abc import Iterator

import apache_beam as beam

from transforms.core.blocks import Block
from transforms.core.decoding.sealed_part import SealedPart, blocks_of
from transforms.core.guard import payload_free_errors
from transforms.core.keys.private_keys import load_private
from transforms.counters import READ_BYTES


class _Open(beam.DoFn):
    def __init__(self, private_key: str) -> None:
        self._private_key = private_key

    def setup(self) -> None:
        self._keys = load_private(self._private_key)

    def process(self, part: SealedPart) -> Iterator[Block]:
        with payload_free_errors():
            for block in blocks_of(part, self._keys):
                READ_BYTES.add(sum(told.read_bytes for told in block.read))
                yield block


class ReadQuarantine(beam.PTransform):
    """A bounded PCollection of parts of quarantine files -> blocks of payloads, each payload once.

    Bodies are opened in the worker, with the operators' private key of this path, and stay in its memory: blocks
    refuse to be pickled. Raises KeyUnavailable in setup, or where a body does not open; StorageUnavailable.
    """

    def __init__(self, private_key: str) -> None:
        super().__init__()
        self._do_fn = _Open(private_key)

    def expand(self, parts: beam.PCollection[SealedPart]) -> beam.PCollection[Block]:
        return (
            parts | "SpreadParts" >> beam.Reshuffle() | "OpenBodies" >> beam.ParDo(self._do_fn).with_output_types(Block)
        )
