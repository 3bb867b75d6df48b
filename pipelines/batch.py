"""The batch job: raw editor events in files -> datasets that analysts can trust.

python -m pipelines.batch --input raw/ --output datasets/ --key_ring keys/
"""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import StandardOptions

from pipelines.ingest import Ingest, IngestSettings
from pipelines.options.beam_options import JobOptions, parse_pipeline_options
from pipelines.options.flags import share
from pipelines.options.ingest_flags import add_ingest_flags, held_output, ingest_flags_of, paths_of_workers
from pipelines.options.input_files import input_files, with_date
from pipelines.recording.flags import add_recording_flags, listeners_of
from pipelines.recording.log_lines import begin_log
from pipelines.recording.record import Record, new_record
from pipelines.recording.recorder import Recorder, recorded
from pipelines.runners.ending import ended_with_this_run
from pipelines.runners.known import BATCH, DEFAULTS
from pipelines.runners.prepare import prepare_runner
from pipelines.running.command import run_job
from pipelines.running.memory import tune_memory
from pipelines.running.progress import Progress, shown
from pipelines.running.runner_errors import pipeline_error
from pipelines.running.summary import describe, unjoined_warning
from pipelines.running.verdict import unusable
from pipelines.workers.choice import started_workers
from pipelines.workers.processes import Workers
from pipelines.workers.room import fitting_buckets
from pipelines.workers.runner import runner_of
from pipelines.workers.spilling import spilling
from schemas.errors import InternalError, Reason, StorageUnavailable, UnbalancedBooks, UnusableInput
from schemas.locations import shown_path
from transforms.core import storage
from transforms.core.curating.publish import days_left_by
from transforms.core.keys import keyring
from transforms.core.output.books import Books
from transforms.core.output.input_list import InputList, buckets_before, list_input, payloads_by_file, unread
from transforms.core.output.layout import Output
from transforms.core.output.ledger import Mark, differences, expired_rows, imbalances, read_marks, total
from transforms.core.output.output_facts import slots_of
from transforms.core.output.refused import Refusals, refusals
from transforms.core.ranges import Range, Share, shares_of
from transforms.core.reading.file_kinds import START_BYTES
from transforms.core.reading.payloads import is_plain
from transforms.steps.read_payloads import ReadPayloads
from transforms.steps.write_datasets import EarlierDays

RANGE_BYTES = 60 * 1024 * 1024
"""Less than a block: a range is one of them."""


class BatchOptions(JobOptions):
    """Raw editor events in files -> protected, partitioned Parquet datasets with balanced books.

    Running the same command again replaces its own files with the same rows.
    """

    @classmethod
    def _add_argparse_args(cls, parser: object) -> None:
        add = parser.add_argument  # type: ignore[attr-defined]
        add("--input", action="append", metavar="PATH",
            help="File, folder or glob of raw records, local or a gs:// or s3:// URL; repeatable. NDJSON (plain, "
            "gzip, zstd) and Avro containers, told apart by content. Of a folder or glob, names that begin with . or _ "
            "and side files (.tmp, .crc, README, manifest, ...) are left alone; name one to read it.")  # fmt: skip
        add_recording_flags(add)
        add_ingest_flags(add)
        add("--spill_folder", metavar="DIR",
            help="Local folder in which sealed rows wait between reading and writing: about 90 bytes an event, and its "
            "code compressed. Default: within a local --output, else the folder of temporary files.")  # fmt: skip
        add("--max_quarantined_share", type=share, default=share("5%"), metavar="SHARE",
            help="More of the events quarantined, as in 5%% or 0.05, end the run with exit code 3; what landed stays. "
            "Default: 5%%.")  # fmt: skip
        add("--max_unjoined", type=share, default=share("1%"), metavar="SHARE",
            help="Warn where more of the displays, outcomes and checks belong to no suggestion. Default: "
            "1%%.")  # fmt: skip
        add("--close_open_suggestions", action="store_true", default=False,
            help="Write suggestions whose life is not over, too: for a run after which no other comes.")  # fmt: skip


def run(argv: Sequence[str]) -> Books:
    """Runs the job to its end and returns the books of this input; see `run_to_end`. Writes no record of the run."""
    options = parsed(argv)
    return run_to_end(options, Recorder(record_of(options)))


def parsed(argv: Sequence[str]) -> Any:
    """The flags; raises InvalidOptions."""
    return parse_pipeline_options("batch", BatchOptions, ("input", "output", "key_ring"), argv)


def record_of(options: Any) -> Record:
    """The record of a run with these flags."""
    runner = options.view_as(StandardOptions).runner or DEFAULTS[BATCH]
    return new_record("batch", [shown_path(given) for given in options.input], options.received_date, runner)


def run_to_end(options: Any, record: Recorder) -> Books:
    """Runs the job to its end. Everything that can be refused is refused before anything is written.

    Raises PipelineError; UnbalancedBooks where events were lost or made up, InternalError where our own code failed
    on too many payloads.
    """
    inputs = [("input", path) for path in options.input]
    prepare_runner(options, BATCH, [*inputs, *paths_of_workers(options)])
    files = storage.each_once(input_files(options))
    digest = storage.input_digest(files)
    ranges = ranges_of(files)
    buckets = buckets_of(options, digest, ranges)
    listed = list_input(digest, ranges, buckets)
    record.listed(listed, with_date(options.input, options.received_date).values())
    with started_workers(options, ranges, buckets) as workers, held_output(options, buckets) as slots:
        record.held()
        earlier_days = days_left_by(options.output, digest, buckets)
        listed.save(options.output)
        with (
            spilling(options) as spill_folder,
            shown(listed.size_bytes, buckets, workers=workers) as progress,
            record.reading_and_writing(progress.figures, listed.size_bytes),
        ):
            settings = _settings(options, digest, slots, buckets, spill_folder, earlier_days)
            _run_pipeline(options, settings, shares_of(ranges, workers.count), workers, progress)
        try:
            storage.check_unchanged(files)
        except StorageUnavailable:
            listed.forget(options.output)
            raise
        marks = _checked_marks(options.output, listed)
        books = total(marks)
        record.balanced(books, payloads_by_file(listed, marks))
        _check_unprocessable(books, options.max_unprocessable)
    return books


def buckets_of(options: Any, digest: str, ranges: Sequence[Range]) -> int:
    """As the flag says; else as in an earlier run of the input; else by its size, as far as the output has slots."""
    if told := options.buckets or buckets_before(options.output, digest):
        return int(told)
    fitting, slots = fitting_buckets(ranges), slots_of(options.output)
    return fitting if slots is None else min(fitting, slots)


def _settings(
    options: Any, digest: str, slots: int, buckets: int, spill_folder: str, earlier_days: EarlierDays
) -> IngestSettings:
    return IngestSettings(
        **ingest_flags_of(options),
        slots=slots,
        buckets=buckets,
        close_open_suggestions=options.close_open_suggestions,
        input_digest=digest,
        spill_folder=spill_folder,
        earlier_days=earlier_days,
    )


def ranges_of(files: Sequence[storage.SourceFile]) -> list[Range]:
    """Large plain files cut into ranges that workers share; a compressed file or a container is one."""
    ranges = []
    for file in files:
        if file.size_bytes <= RANGE_BYTES or not is_plain(storage.read_start(file.path, START_BYTES)):
            ranges.append(Range(file.path, 0, None, file.size_bytes, file.version))
        else:
            starts = range(0, file.size_bytes, RANGE_BYTES)
            ranges += [Range(file.path, s, s + RANGE_BYTES, file.size_bytes, file.version) for s in starts]
    return ranges


def _run_pipeline(
    options: JobOptions, settings: IngestSettings, shares: list[Share], workers: Workers, progress: Progress
) -> None:
    pipeline = beam.Pipeline(runner_of(workers), options=options.for_runner())
    _ = pipeline | "SourceShares" >> beam.Create(shares, reshuffle=False) | ReadPayloads() | Ingest(settings)
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
    problems = [*unread(output, listed, marks), *imbalances(marks), *differences(output, marks, listed.digest)]
    if problems:
        raise UnbalancedBooks(f"{len(problems)} places do not balance: {'; '.join(problems[:5])}")
    if gone := expired_rows(output, marks):
        print(f"{gone:,} rows are past their retention: they are counted and were not written", file=sys.stderr)
    return marks


def _check_unprocessable(books: Books, told: int | None) -> None:
    failed, most = books.quarantined[Reason.UNPROCESSABLE], books.most_unprocessable(told)
    if failed > most:
        raise InternalError(
            f"this program failed on {failed} of {books.events} payloads, more than --max_unprocessable {most}; "
            "they are quarantined, the others landed"
        )


def main(argv: Sequence[str]) -> None:
    """The command; raises UnusableInput where nothing landed or too much was quarantined."""
    tune_memory()
    begin_log(argv)
    options = parsed(argv)
    with recorded(record_of(options), listeners_of(options)) as record:
        books = run_to_end(options, record)
        refused = refusals(options.output, record.digest) if books.quarantined else Refusals(Counter(), {})
        text = "" if options.log_format == "json" else describe(books, refused)
        ring = keyring.load(options.key_ring)
        if trouble := unusable(books, refused, options.max_quarantined_share, options.key_ring, ring):
            error = UnusableInput(trouble)
            error.books = text
            raise error
        if text:
            print(text)
        if warning := unjoined_warning(books, options.max_unjoined):
            print(warning, file=sys.stderr)


if __name__ == "__main__":
    run_job(main)
