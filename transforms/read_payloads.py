"""ReadPayloads: source files -> blocks of payloads."""

from collections.abc import Iterator

import apache_beam as beam

from transforms.core import storage
from transforms.core.guard import payload_free_errors
from transforms.core.payloads import Block, read_blocks


class _ReadFile(beam.DoFn):
    def process(self, path: str) -> Iterator[Block]:
        with payload_free_errors():
            yield from read_blocks(lambda: storage.open_read(path), path)


class ReadPayloads(beam.PTransform):
    """A bounded PCollection of paths -> blocks of payloads, in any order, each payload once.

    NDJSON (plain, gzip, zstd) and Avro containers, told apart by content. What
    a file holds never fails the step; a storage error does (StorageUnavailable).
    """

    def expand(self, paths: beam.PCollection[str]) -> beam.PCollection[Block]:
        return (
            paths | "SpreadFiles" >> beam.Reshuffle() | "ReadFile" >> beam.ParDo(_ReadFile()).with_output_types(Block)
        )
