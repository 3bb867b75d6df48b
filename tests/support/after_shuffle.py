"""The steps after the shuffle on Beam, with an eye on every element that passes between them."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from tests.conftest import KEY_RING
from tests.support.facts import Fact, sealed_batch
from transforms.core.batches import EventBatch
from transforms.core.curating.curate import CuratedBucket
from transforms.core.keys import keyring
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.layout import Output
from transforms.core.shuffle.pieces import PieceBuilder
from transforms.core.shuffle.windows import Portion
from transforms.steps.curate_events import CurateEvents
from transforms.steps.join_suggestions import JoinSuggestions
from transforms.steps.write_datasets import EarlierDays, WriteDatasets

HORIZON, LOOKBACK = timedelta(minutes=30), timedelta(days=1)
_WATCHED: list[tuple[CuratedBucket, Any]] = []
"""Elements and what was in them when they came by; the runner works in this process."""


def contents(curated: CuratedBucket) -> Any:
    """Everything that is in an element, as values of its own."""
    tables = {key: table.to_pylist() for key, table in curated.tables.items()}
    rest = {name: deepcopy(value) for name, value in vars(curated).items() if name != "tables"}
    return tables, rest


class _Watch(beam.DoFn):
    def process(self, curated: CuratedBucket) -> Iterator[CuratedBucket]:
        _WATCHED.append((curated, contents(curated)))
        yield curated


def sealed(facts: list[Fact], buckets: int = 1, *more: EventBatch) -> dict[int, list[bytes]]:
    """Pieces of bucket 0, and those that tell every bucket the clock."""
    builder = PieceBuilder(step_keys_of(keyring.load(KEY_RING)).sealer(), buckets)
    batches = [*(sealed_batch(dataset, [row]) for dataset, row in facts), *more]
    made = [*(piece for batch in batches for piece in builder.add(batch)), *builder.finish()]
    return {bucket: [piece for of, piece in made if of == bucket] for bucket in range(buckets)}


def run(
    folder: Path,
    grouped: list[tuple[Portion, list[bytes]]],
    *,
    close_open: bool = False,
    earlier_days: EarlierDays | None = None,
) -> list[tuple[CuratedBucket, Any]]:
    """Portions through all three steps; the elements that passed, and what was in each when it did."""
    _WATCHED.clear()
    output = Output(str(folder))
    with beam.Pipeline("FnApiRunner", PipelineOptions([])) as pipeline:
        _ = (
            pipeline
            | beam.Create(grouped, reshuffle=False)
            | CurateEvents(KEY_RING, output, LOOKBACK, timedelta(0), HORIZON)
            | "Curated" >> beam.ParDo(_Watch()).with_output_types(CuratedBucket)
            | JoinSuggestions(output, HORIZON, LOOKBACK, close_open)
            | "Joined" >> beam.ParDo(_Watch()).with_output_types(CuratedBucket)
            | WriteDatasets(KEY_RING, output, earlier_days or {}, LOOKBACK)
        )
    return list(_WATCHED)
