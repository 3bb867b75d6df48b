"""The endless job: events of a Kafka topic or a watched folder -> the same datasets, every few minutes.

python -m pipelines.streaming --input kafka://localhost:9092/telemetry --output datasets/ --key_ring keys/
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import DebugOptions, PipelineOptions, PortableOptions, StandardOptions

from pipelines.ingest import Ingest, IngestSettings, StreamSettings
from pipelines.options.beam_options import parse_pipeline_options
from pipelines.options.flags import duration, whole_number
from pipelines.options.ingest_flags import add_ingest_flags, held_output, ingest_flags_of
from pipelines.options.input_files import check_apart
from pipelines.running.command import run_job
from pipelines.running.memory import tune_memory
from pipelines.streams.prism import find_prism, prism
from pipelines.streams.start import begin
from pipelines.streams.two_processes import Reader, TwoProcessRunner
from pipelines.streams.watch import Watch
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.guard import FAILURES
from transforms.core.output.stream_state import StreamState
from transforms.core.reading.log import LogPosition, LogSource
from transforms.core.reading.open_log import kafka_parts
from transforms.core.storage.secret_files import readable_by_others
from transforms.steps.read_log import LogSettings, ReadLog

_PRISM_EXPERIMENT = "prism_disable_sdf_split"
_FOR_EVER_S = 100 * 366 * 86_400
"""On Prism, Beam 2.77 watches a job's state with the deadline of a single request: after 5 minutes the job was lost."""


class FlinkJobOptions(PipelineOptions):
    """Flags of Flink's job server that matter here; Beam learns the others from the server itself."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        add = parser.add_argument
        add("--checkpointing_interval", type=int, metavar="MS", help="Flink: time between checkpoints.")
        add("--finish_bundle_before_checkpointing", action="store_true", default=False,
            help="Flink: needed; without it the first checkpoint may swallow the source.")  # fmt: skip
        add("--max_bundle_time_mills", type=int, metavar="MS", help="Flink: how long a bundle may last.")
        add("--number_of_execution_retries", type=int, help="Flink: restarts after a failure.")
        add("--execution_retry_delay", type=int, metavar="MS", help="Flink: wait before a restart.")
        add("--flink_rest", metavar="URL",
            help="Flink: its REST address, as in http://localhost:8081; needed to end the job.")  # fmt: skip


class StreamingJobOptions(FlinkJobOptions):
    """Raw editor events of an endless source -> protected, partitioned Parquet datasets, published every few minutes.

    What is published is the checkpoint: stop it, kill it, deploy it anew with the same --output, and it goes on where
    every window was whole. SIGTERM or Ctrl-C finishes the current window; a second one ends at once.
    """

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        add = parser.add_argument
        add("--input", metavar="URI",
            help="kafka://HOST:PORT[,HOST:PORT]/TOPIC, whose topic has message.timestamp.type=LogAppendTime; or with "
            "--watch a folder, local or a gs:// or s3:// URL, into which collectors roll files.")  # fmt: skip
        add("--watch", action="store_true", default=False, help="The input is a folder: take new files as they come.")
        add("--kafka_config", metavar="FILE",
            help="JSON object of client settings by librdkafka's names: SASL, TLS, timeouts.")  # fmt: skip
        add_ingest_flags(add)
        add("--publish_interval", type=duration, default=duration("5min"), metavar="TIME",
            help="How much of the log's time a window holds. Default: 5min; from 1s on.")  # fmt: skip
        add(
            "--allowed_lateness",
            type=duration,
            default=duration("5min"),
            metavar="TIME",
            help="How far receive times may be out of order; suggestions are closed so much later. Default: 5min.",
        )
        add("--start", choices=("earliest", "latest", "earliest_left", "new_topic"), default="earliest",
            help="Where a new output begins in the topic: earliest, latest. An old one goes on where it was; with "
            "earliest_left from the oldest message that retention left, what was before it counted as lost; with "
            "new_topic from the beginning of a topic that was made anew. Default: earliest.")  # fmt: skip
        add("--readers", type=whole_number(1, 256), default=1,
            help="Kafka: how many readers share the partitions, for runners of many workers. Default: 1.")  # fmt: skip
        add("--metrics_port", type=whole_number(1, 65535), metavar="PORT", help="Serve OpenMetrics on this port.")
        add("--metrics_address", default="127.0.0.1", metavar="HOST",
            help="Address of this machine that the port listens on; 0.0.0.0 is all. Default: 127.0.0.1.")  # fmt: skip
        add("--metrics_file", metavar="FILE", help="Write OpenMetrics to this file after each window.")


def check(options: Any) -> None:
    """Raises InvalidOptions on flags that contradict each other, or that are known to lose data."""
    parts = kafka_parts(options.input)
    if options.watch == (parts is not None):
        raise InvalidOptions("--watch goes with a folder, and a folder with --watch; a kafka:// input has none")
    if options.watch and (options.kafka_config or options.readers != 1):
        raise InvalidOptions("--kafka_config and --readers go with a kafka:// input")
    if options.watch and not storage.can_hold_files(options.input):
        raise InvalidOptions(f"--input {options.input}: no such folder to watch; allowed is one that is there")
    if options.watch:
        check_apart([options.input], options.output.path, options.key_ring)
    if options.watch and options.start != "earliest":
        raise InvalidOptions(f"--start {options.start} goes with a kafka:// input")
    if options.publish_interval.total_seconds() < 1:
        raise InvalidOptions("--publish_interval: allowed is 1s and more")
    if options.lookback < options.suggestion_horizon:
        raise InvalidOptions("--lookback must not be shorter than --suggestion_horizon")
    check_runner(options)


def check_runner(options: PipelineOptions) -> None:
    """Raises InvalidOptions on a runner's settings with which rows were lost, silently, when they were tried."""
    runner = options.view_as(StandardOptions).runner
    if runner in (None, "PrismRunner"):
        return
    if runner not in ("FlinkRunner", "PortableRunner"):
        raise InvalidOptions(
            f"--runner={runner}: allowed are PrismRunner (the default), FlinkRunner and PortableRunner; "
            "other runners do not run endless jobs of Python with timers"
        )
    flink = options.view_as(FlinkJobOptions)
    is_prism = _PRISM_EXPERIMENT in (options.view_as(DebugOptions).experiments or [])
    if runner == "PortableRunner" and is_prism:
        return
    if not (flink.finish_bundle_before_checkpointing and flink.checkpointing_interval):
        prism_way = "" if runner == "FlinkRunner" else f"; on a Prism of your own, --experiments={_PRISM_EXPERIMENT}"
        raise InvalidOptions(
            "on Flink, --checkpointing_interval=MS and --finish_bundle_before_checkpointing are needed: without them "
            f"the job may run for ever without data, or lose it{prism_way}"
        )


@contextmanager
def chosen_runner(options: PipelineOptions) -> Iterator[Reader | None]:
    """Starts Prism and the process that reads where no other runner is named; gives that process.

    None stands for a runner that starts workers by itself, and tries again what fails.
    """
    standard = options.view_as(StandardOptions)
    standard.streaming = True
    portable, debug = options.view_as(PortableOptions), options.view_as(DebugOptions)
    is_own = standard.runner in (None, "PrismRunner")
    if is_own:
        debug.add_experiment(_PRISM_EXPERIMENT)
    if _PRISM_EXPERIMENT in (debug.experiments or []):
        portable.job_server_timeout = _FOR_EVER_S
    if not is_own:
        yield None
        return
    with prism(find_prism(getattr(options, "prism_location", None))) as endpoint, closing(Reader()) as reader:
        standard.runner = "PortableRunner"
        portable.job_endpoint, portable.environment_type = endpoint, "LOOPBACK"
        yield reader


def build(options: Any, state: StreamState, reader: Reader | None = None) -> beam.Pipeline:
    """The job's graph, from where the output is whole."""
    interval_s = int(options.publish_interval.total_seconds())
    source = LogSource(options.input, options.kafka_config)
    log = LogSettings(source, options.output, state.stream, interval_s, options.buckets, options.readers)
    start = LogPosition(state.positions, state.whole_to_s * 1000)
    stream = StreamSettings(state.stream, interval_s, state.whole_to_s, options.allowed_lateness)
    pipeline = beam.Pipeline(TwoProcessRunner(reader) if reader else None, options=options)
    blocks, quiet = pipeline | ReadLog(log, start)
    _ = blocks | Ingest(IngestSettings(**ingest_flags_of(options), stream=stream), quiet)
    return pipeline


def run(argv: Sequence[str]) -> None:
    """Runs until it is told to stop, by signal.

    Raises PipelineError where it cannot go on; UnbalancedBooks where a window's
    books do not balance. The next start repairs what was not whole.
    """
    options: Any = parse_pipeline_options("streaming", StreamingJobOptions, ("input", "output", "key_ring"), argv)
    check(options)
    if options.kafka_config and (warning := readable_by_others(options.kafka_config)):
        print(warning, file=sys.stderr)
    with held_output(options), chosen_runner(options) as reader:
        FAILURES.clear()
        state = begin(options)
        with Watch(options, state, reader) as watch:
            watch.until_stopped(build(options, state, reader).run())


def main(argv: Sequence[str]) -> None:
    """The command."""
    tune_memory()
    run(argv)
    print("stopped; every window is whole", file=sys.stderr)


if __name__ == "__main__":
    run_job(main)
