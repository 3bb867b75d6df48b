"""The whole way of an event, top to bottom.

    ReadPayloads    files -> blocks of payloads                                (outside: batch)
    DecodeEvents    payloads -> one RecordBatch a dataset, known fields only
    ProtectEvents   consent, geolocation, scrubbing, pseudonyms: address and ids are gone
    SealBatches     split by bucket, Arrow IPC, zstd, AES-256-GCM
    GroupByBucket   the one shuffle: a bucket holds all of a person's events
    CurateEvents    duplicates dropped, rows sorted, counted
    JoinSuggestions one row a suggestion, once its life is over
    WriteDatasets   Parquet by dataset and received_date, code under role keys, ledger last

Everything before GroupByBucket is one fused stage; only sealed bytes leave it.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import apache_beam as beam

from transforms import refusing_coder
from transforms.core.blocks import Block
from transforms.curate_events import CurateEvents
from transforms.decode_events import DecodeEvents
from transforms.group_by_bucket import GroupByBucket
from transforms.join_suggestions import JoinSuggestions
from transforms.protect_events import ProtectEvents
from transforms.seal_batches import SealBatches
from transforms.write_datasets import WriteDatasets

refusing_coder.register()


@dataclass(frozen=True)
class IngestSettings:
    """What the steps need to know; holds paths, never keys."""

    key_ring: str
    output: str
    input_digest: str
    buckets: int
    geo_database: str
    city_min_population: int
    lookback: timedelta
    suggestion_horizon: timedelta
    close_open_suggestions: bool
    earlier_days: dict[int, list[date]]


class Ingest(beam.PTransform):
    """Blocks of payloads -> the buckets whose files are whole; see the page above."""

    def __init__(self, settings: IngestSettings) -> None:
        super().__init__()
        self._settings = settings

    def expand(self, blocks: beam.PCollection[Block]) -> beam.PCollection[int]:
        s = self._settings
        return (
            blocks
            | DecodeEvents(s.key_ring, s.buckets)
            | ProtectEvents(s.key_ring, s.buckets, s.geo_database, s.city_min_population)
            | SealBatches(s.key_ring, s.buckets)
            | GroupByBucket(s.buckets)
            | CurateEvents(s.key_ring, s.output, s.input_digest, s.lookback)
            | JoinSuggestions(s.output, s.input_digest, s.suggestion_horizon, s.lookback, s.close_open_suggestions)
            | WriteDatasets(s.key_ring, s.output, s.input_digest, s.buckets, s.earlier_days)
        )
