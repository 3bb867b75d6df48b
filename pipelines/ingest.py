"""The whole way of an event, top to bottom.

    ReadPayloads    files -> blocks of payloads                                (outside: batch)
    ReadLog         Kafka topic or watched folder -> blocks of payloads        (outside: streaming)
    DecodeEvents    payloads -> one RecordBatch a dataset, known fields only
    ProtectEvents   consent, geolocation, known words, scrubbing, pseudonyms: address and ids are gone
    SealBatches     split by bucket, Arrow IPC, zstd, AES-256-GCM
    GroupByBucket   the one shuffle: a bucket holds all of a person's events   (batch)
    GroupByWindow   the same for each window of an endless log, in order       (streaming)
    CurateEvents    duplicates dropped, each row's month settled, counted
    JoinSuggestions one row a suggestion, once its life is over
    WriteDatasets   ids enciphered for their month, Parquet by dataset and received_date, code under role keys,
                    ledger last

Everything before the shuffle is one fused stage; only sealed bytes leave it.
"""

from dataclasses import dataclass, field
from datetime import timedelta

import apache_beam as beam

from schemas.known_values import PACKAGED, Vocabulary
from schemas.manifests import NO_MANIFESTS, Manifests
from transforms.core.blocks import Block
from transforms.core.output.layout import Output
from transforms.core.protecting.places.geo import REGION_MIN_POPULATION, GeoSettings
from transforms.core.quarantine.unprocessable import Unprocessable
from transforms.core.shuffle.pieces import Sealed
from transforms.steps.curate_events import CurateEvents
from transforms.steps.decode_events import DecodeEvents
from transforms.steps.group_by_bucket import GroupByBucket
from transforms.steps.group_by_window import GroupByWindow
from transforms.steps.join_suggestions import JoinSuggestions
from transforms.steps.protect_events import ProtectEvents
from transforms.steps.seal_batches import SealBatches
from transforms.steps.write_datasets import EarlierDays, WriteDatasets


@dataclass(frozen=True)
class StreamSettings:
    """What the endless job adds: its log, and where its windows begin."""

    stream: str
    interval_s: int
    start_s: int
    lateness: timedelta
    until_s: int | None = None


@dataclass(frozen=True)
class IngestSettings:
    """What the steps need to know; holds paths, never keys. `input_digest` is of a batch input, `stream` of a log.

    `spill_folder` is where sealed pieces of a batch input wait, on a disk that all workers see; without one they cross
    the runner's shuffle. `slots` and `sender_from` are the output's, `buckets` the run's. `least_clock_us` is a receive
    time, in microseconds since 1970, by which a batch input's suggestions are closed as if it were in the input.
    """

    key_ring: str
    output: Output
    slots: int
    buckets: int
    geo_database: str
    city_min_population: int
    lookback: timedelta
    suggestion_horizon: timedelta
    close_open_suggestions: bool = False
    max_unprocessable: int | None = None
    input_digest: str = ""
    spill_folder: str = ""
    earlier_days: EarlierDays = field(default_factory=dict)
    stream: StreamSettings | None = None
    region_min_population: int = REGION_MIN_POPULATION
    vocabulary: Vocabulary = PACKAGED
    manifests: Manifests = NO_MANIFESTS
    least_clock_us: int | None = None
    sender_from: str = ""


class Ingest(beam.PTransform):
    """Blocks of payloads -> the buckets whose files are whole; see the page above.

    `quiet`, of an endless log, tells the buckets of spans in which nothing came.
    """

    def __init__(self, settings: IngestSettings, quiet: beam.PCollection[Sealed] | None = None) -> None:
        super().__init__()
        self._settings = settings
        self._quiet = quiet

    def expand(self, blocks: beam.PCollection[Block]) -> beam.PCollection[int]:
        s = self._settings
        lateness = s.stream.lateness if s.stream else timedelta(0)
        geo = GeoSettings(s.geo_database, s.city_min_population, s.region_min_population)
        unprocessable = Unprocessable(s.max_unprocessable)
        return (
            blocks
            | DecodeEvents(s.key_ring, s.slots, s.vocabulary, unprocessable, s.manifests)
            | ProtectEvents(
                s.key_ring, s.slots, geo, s.vocabulary, unprocessable, s.suggestion_horizon + s.lookback, s.sender_from
            )
            | SealBatches(s.key_ring, s.buckets, s.stream.interval_s if s.stream else None)
            | self._group()
            | CurateEvents(s.key_ring, s.output, s.lookback, lateness, s.suggestion_horizon, s.least_clock_us)
            | JoinSuggestions(s.output, s.suggestion_horizon, s.lookback, s.close_open_suggestions)
            | WriteDatasets(s.key_ring, s.output, s.earlier_days, s.lookback)
        )

    def _group(self) -> beam.PTransform:
        s, stream = self._settings, self._settings.stream
        if stream is None:
            return GroupByBucket(s.input_digest, s.buckets, s.spill_folder)
        return GroupByWindow(stream.stream, stream.interval_s, s.buckets, stream.start_s, stream.until_s, self._quiet)
