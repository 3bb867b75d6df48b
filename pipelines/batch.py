"""The batch job: raw editor events in files -> datasets that analysts can trust.

python -m pipelines.batch --input raw/ --output datasets/ --key_ring keys/
"""

import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from apache_beam.options.pipeline_options import StandardOptions

from pipelines.options.beam_options import JobOptions, parse_pipeline_options
from pipelines.options.flags import share
from pipelines.options.ingest_flags import add_ingest_flags, paths_of_workers
from pipelines.options.input_files import input_files, with_date
from pipelines.recording.flags import add_recording_flags, listeners_of
from pipelines.recording.log_lines import begin_log
from pipelines.recording.record import Record, new_record
from pipelines.recording.recorder import Recorder, recorded
from pipelines.runners.flags import add_runner_flags
from pipelines.runners.known import BATCH, DEFAULTS
from pipelines.runners.prepare import prepare_runner
from pipelines.running.command import run_job
from pipelines.running.destroyed_months import check_landed_months
from pipelines.running.input_run import BatchInput, run_input
from pipelines.running.memory import tune_memory
from pipelines.running.summary import describe, unjoined_warning
from pipelines.running.verdict import unusable
from pipelines.workers.spilling import add_spill_folder
from schemas.errors import InternalError, Reason, UnusableInput
from schemas.locations import shown_path
from transforms.core import storage
from transforms.core.keys import keyring
from transforms.core.output.books import Books
from transforms.core.output.refused import Refusals, refusals
from transforms.core.ranges import Range, shares_of
from transforms.core.reading.file_kinds import START_BYTES
from transforms.core.reading.payloads import is_plain
from transforms.steps.read_payloads import ReadPayloads

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
        add_runner_flags(add)
        add_spill_folder(add)
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
    ranges = ranges_of(files)
    digest = storage.input_digest(files)
    found = BatchInput(
        digest=digest,
        ranges=ranges,
        elements=partial(shares_of, ranges),
        read=ReadPayloads(),
        patterns=list(with_date(options.input, options.received_date).values()),
        close_open_suggestions=options.close_open_suggestions,
        held=partial(check_landed_months, options.output, options.key_ring, digest),
        was_read=partial(storage.check_unchanged, files),
        done=lambda books: _check_unprocessable(books, options.max_unprocessable),
    )
    return run_input(options, found, record)


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
