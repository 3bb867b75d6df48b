"""ReadPayloads: shares of source files -> blocks of payloads."""

from collections.abc import Iterator
from functools import partial

import apache_beam as beam

from transforms.core import storage
from transforms.core.blocks import Block
from transforms.core.guard import payload_free_errors
from transforms.core.ranges import Share
from transforms.core.reading.payloads import read_range
from transforms.core.reading.range_marks import marked
from transforms.counters import READ_BYTES


class _ReadShare(beam.DoFn):
    def process(self, share: Share) -> Iterator[Block]:
        with payload_free_errors():
            for part in share:
                for block in marked(read_range, partial(storage.open_read, part.path), part):
                    READ_BYTES.add(sum(told.read_bytes for told in block.read))
                    yield block


class ReadPayloads(beam.PTransform):
    """A bounded PCollection of shares of an input -> blocks of payloads, in any order, each payload once.

    Each block says how many bytes of its range it took, so that a block that is lost is noticed. Files are NDJSON
    (plain, gzip, zstd) or Avro containers, told apart by content. Nothing that a file holds fails the step; a
    storage error does (StorageUnavailable).
    """

    def expand(self, shares: beam.PCollection[Share]) -> beam.PCollection[Block]:
        return (
            shares
            | "SpreadShares" >> beam.Reshuffle()
            | "ReadShare" >> beam.ParDo(_ReadShare()).with_output_types(Block)
        )
