"""The endless job: events of a Kafka topic or a watched folder -> the same datasets, every few minutes.

python -m pipelines.streaming --input kafka://localhost:9092/telemetry --output datasets/ --key_ring keys/
"""

import sys
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import StandardOptions

from pipelines.ingest import Ingest, IngestSettings, StreamSettings
from pipelines.options.beam_options import parse_pipeline_options
from pipelines.options.ingest_flags import STREAM_BUCKETS, Held, held_output, ingest_flags_of
from pipelines.recording.log_lines import LogLines, begin_log
from pipelines.recording.record import Record, new_record
from pipelines.recording.record_file import RecordFile
from pipelines.recording.recorder import Recorder, recorded
from pipelines.runners.known import DEFAULTS, STREAMING
from pipelines.running.command import run_job
from pipelines.running.memory import tune_memory
from pipelines.streams.flags import StreamingJobOptions, check
from pipelines.streams.runners import chosen_runner
from pipelines.streams.start import begin
from pipelines.streams.two_processes import Reader, TwoProcessRunner
from pipelines.streams.watch import Watch
from schemas.locations import shown_path
from transforms.core import storage
from transforms.core.chains.window_manifests import WindowManifests
from transforms.core.guard import FAILURES
from transforms.core.output.output_facts import slots_of
from transforms.core.output.stream_state import StreamState
from transforms.core.reading.log import LogPosition, LogSource
from transforms.core.storage.secret_files import readable_by_others
from transforms.steps.read_log import LogSettings, ReadLog


def build(options: Any, state: StreamState, held: Held, reader: Reader | None = None) -> beam.Pipeline:
    """The job's graph, from where the output is whole."""
    interval_s = int(options.publish_interval.total_seconds())
    config = options.kafka_config and storage.absolute(options.kafka_config)
    source = LogSource(storage.absolute(options.input), config)
    stream = StreamSettings(state.stream, interval_s, state.whole_to_s, options.allowed_lateness)
    settings = IngestSettings(
        **ingest_flags_of(options),
        slots=held.slots,
        sender_from=held.sender_from,
        buckets=buckets_of(options),
        stream=stream,
    )
    log = LogSettings(source, settings.output, state.stream, interval_s, settings.buckets, options.readers)
    start = LogPosition(state.positions, state.whole_to_s * 1000)
    pipeline = beam.Pipeline(TwoProcessRunner(reader) if reader else None, options=options.for_runner())
    blocks, quiet = pipeline | ReadLog(log, start)
    _ = blocks | Ingest(settings, quiet)
    return pipeline


def buckets_of(options: Any) -> int:
    """What the flag says, else few, as far as the output has slots."""
    return int(options.buckets or min(STREAM_BUCKETS, slots_of(options.output) or STREAM_BUCKETS))


def run(argv: Sequence[str]) -> None:
    """Runs until it is told to stop, by signal; see `run_until_stopped`. Writes no record of the run."""
    options = parsed(argv)
    run_until_stopped(options, Recorder(record_of(options)))


def parsed(argv: Sequence[str]) -> Any:
    """The flags; raises InvalidOptions."""
    return parse_pipeline_options("streaming", StreamingJobOptions, ("input", "output", "key_ring"), argv)


def record_of(options: Any) -> Record:
    """The record of a run with these flags: of the process, not of its windows, which the ledger has."""
    runner = options.view_as(StandardOptions).runner or DEFAULTS[STREAMING]
    return new_record("streaming", [shown_path(options.input)], None, runner)


def run_until_stopped(options: Any, record: Recorder) -> None:
    """Runs until it is told to stop, by signal.

    Raises PipelineError where it cannot go on; UnbalancedBooks where a window's
    books do not balance. The next start repairs what was not whole.
    """
    check(options)
    if options.kafka_config and (warning := readable_by_others(options.kafka_config)):
        print(warning, file=sys.stderr)
    with held_output(options, buckets_of(options)) as held, chosen_runner(options) as reader:
        record.held()
        FAILURES.clear()
        state = begin(options, held.signing)
        manifests = None
        if held.signing:
            manifests = WindowManifests(state, held.signing)
            manifests.take_in()
            manifests.start()
        with Watch(options, state, reader, manifests) as watch:
            watch.until_stopped(build(options, state, held, reader).run())


def main(argv: Sequence[str]) -> None:
    """The command."""
    tune_memory()
    begin_log(argv)
    options = parsed(argv)
    with recorded(record_of(options), [RecordFile(options.output, options.key_ring), LogLines()]) as record:
        run_until_stopped(options, record)
        print("stopped; every window is whole", file=sys.stderr)


if __name__ == "__main__":
    run_job(main)
