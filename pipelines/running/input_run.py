"""One input from what there is to read to balanced books: what the batch job and a replay have in common."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from pipelines.ingest import Ingest, IngestSettings
from pipelines.options.beam_options import JobOptions
from pipelines.options.ingest_flags import Held, held_output, ingest_flags_of
from pipelines.recording.recorder import Recorder
from pipelines.runners.ending import ended_with_this_run
from pipelines.running.progress import Progress, shown
from pipelines.running.runner_errors import pipeline_error
from pipelines.workers.choice import started_workers
from pipelines.workers.processes import Workers
from pipelines.workers.room import fitting_buckets
from pipelines.workers.runner import runner_of
from pipelines.workers.spilling import spilling
from schemas.errors import StorageUnavailable, UnbalancedBooks
from transforms.core.chains.input_manifest import sign_input
from transforms.core.chains.run_signing import Signing
from transforms.core.chains.unsigned_inputs import Begun, begin_input, end_input
from transforms.core.curating.publish import days_left_by
from transforms.core.output.books import Books
from transforms.core.output.compacted import Compacted
from transforms.core.output.input_days import days_of_input
from transforms.core.output.input_list import (
    InputList,
    buckets_before,
    list_input,
    payloads_by_file,
    troubles,
    was_read_before,
)
from transforms.core.output.layout import Output
from transforms.core.output.ledger import Mark, differences, expired_rows, imbalances, read_marks, total
from transforms.core.output.output_facts import slots_of
from transforms.core.ranges import Range
from transforms.steps.write_datasets import EarlierDays


def _nothing(*_: object) -> None:
    """What a job does where it has nothing to add."""


@dataclass(frozen=True)
class BatchInput:
    """What is to be read, and how. `digest` names it: the same input has the same one.

    `read` turns `elements`, which are made for a number of workers, into blocks of payloads. `patterns` are the input
    as people gave it. `least_clock_us`, in microseconds since 1970, closes suggestions as a receive time does, also
    where nothing so late is in the input. `finishes`: it may go on where a change of the output was cut off.

    All of the following happens while the output is held: `held` is called before anything is written, `was_read` when
    all is written (it raises StorageUnavailable where the input has changed meanwhile), `done` when the books balance.
    """

    digest: str
    ranges: Sequence[Range]
    elements: Callable[[int], Sequence[object]]
    read: beam.PTransform
    patterns: Sequence[str]
    close_open_suggestions: bool = False
    least_clock_us: int | None = None
    finishes: bool = False
    held: Callable[[], None] = _nothing
    was_read: Callable[[], None] = _nothing
    done: Callable[[Books], None] = _nothing


def run_input(options: Any, found: BatchInput, record: Recorder) -> Books:
    """Runs the pipeline over an input to its end and returns its books.

    Raises PipelineError; UnbalancedBooks where events were lost or made up.
    """
    buckets = buckets_of(options, found.digest, found.ranges)
    listed = list_input(found.digest, found.ranges, buckets)
    record.listed(listed, found.patterns)
    holding = held_output(options, buckets, to_finish=found.finishes)
    with started_workers(options, found.ranges, buckets) as workers, holding as held:
        record.held()
        found.held()
        Compacted(options.output).check_buckets(
            found.digest, days_of_input(options.output, found.digest) or (), buckets
        )
        is_again = was_read_before(options.output, found.digest)
        earlier_days = days_left_by(options.output, found.digest, buckets)
        listed.save(options.output)
        begun = _begin(options.output, held.signing, found.digest, earlier_days, is_again=is_again)
        with (
            spilling(options) as spill_folder,
            shown(listed.size_bytes, buckets, workers=workers) as progress,
            record.reading_and_writing(progress.figures, listed.size_bytes),
        ):
            settings = _settings(options, found, held, buckets, spill_folder, earlier_days)
            _run_pipeline(options, settings, found, workers, progress)
        try:
            found.was_read()
        except StorageUnavailable:
            listed.forget(options.output)
            _sign_what_landed(options.output, held.signing, begun)
            raise
        marks = _checked_marks(options.output, listed)
        books = total(marks)
        record.balanced(books, payloads_by_file(listed, marks))
        _sign(options.output, held.signing, begun, marks)
        found.done(books)
    return books


def _begin(
    output: Output, signing: Signing | None, digest: str, earlier_days: EarlierDays, *, is_again: bool
) -> Begun | None:
    if signing is None:
        return None
    return begin_input(
        output, signing, digest, {day for days in earlier_days.values() for day in days}, is_again=is_again
    )


def _sign(output: Output, signing: Signing | None, begun: Begun | None, marks: Sequence[Mark]) -> None:
    if signing is not None and begun is not None:
        sign_input(output, signing, begun.input, marks, begun.days_before, begun.is_again)
        end_input(output, begun.input)


def _sign_what_landed(output: Output, signing: Signing | None, begun: Begun | None) -> None:
    """Of an input that was changed while it was read: it never comes again under this name, and its rows stay.

    Where they do not balance they stay unsigned.
    """
    marks = read_marks(output, begun.input) if begun is not None else []
    if begun is not None and not [*imbalances(marks), *differences(output, marks, begun.input)]:
        _sign(output, signing, begun, marks)


def buckets_of(options: Any, digest: str, ranges: Sequence[Range]) -> int:
    """As the flag says; else as in an earlier run of the input; else by its size, as far as the output has slots."""
    if told := options.buckets or buckets_before(options.output, digest):
        return int(told)
    fitting, slots = fitting_buckets(ranges), slots_of(options.output)
    return fitting if slots is None else min(fitting, slots)


def _settings(
    options: Any, found: BatchInput, held: Held, buckets: int, spill_folder: str, earlier_days: EarlierDays
) -> IngestSettings:
    return IngestSettings(
        **ingest_flags_of(options),
        slots=held.slots,
        sender_from=held.sender_from,
        buckets=buckets,
        close_open_suggestions=found.close_open_suggestions,
        input_digest=found.digest,
        spill_folder=spill_folder,
        earlier_days=earlier_days,
        least_clock_us=found.least_clock_us,
    )


def _run_pipeline(
    options: JobOptions, settings: IngestSettings, found: BatchInput, workers: Workers, progress: Progress
) -> None:
    pipeline = beam.Pipeline(runner_of(workers), options=options.for_runner())
    elements = found.elements(workers.count)
    _ = pipeline | "SourceShares" >> beam.Create(elements, reshuffle=False) | found.read | Ingest(settings)
    try:
        with workers:  # none of them may still write when the output is let go
            result = pipeline.run()
            with ended_with_this_run(options, result):
                progress.follow(result)
                result.wait_until_finish()
    except Exception as error:  # noqa: BLE001 - a runner raises anything; it becomes one of ours
        raise pipeline_error(error) from None


def _checked_marks(output: Output, listed: InputList) -> list[Mark]:
    marks = read_marks(output, listed.digest)
    if problems := troubles(output, listed, marks):
        raise UnbalancedBooks(f"{len(problems)} places do not balance: {'; '.join(problems[:5])}")
    if gone := expired_rows(output, marks):
        print(f"{gone:,} rows are past their retention: they are counted and were not written", file=sys.stderr)
    return marks
