"""The flags of the endless job, and which of them go together."""

from typing import Any

from pipelines.options.beam_options import JobOptions
from pipelines.options.flags import duration, whole_number
from pipelines.options.ingest_flags import add_ingest_flags, paths_of_workers
from pipelines.options.input_files import check_apart
from pipelines.recording.log_lines import add_log_format
from pipelines.runners.flags import add_runner_flags
from pipelines.runners.known import STREAMING
from pipelines.runners.prepare import prepare_runner
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.reading.open_log import kafka_parts


class StreamingJobOptions(JobOptions):
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
        add_runner_flags(add)
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
        add_log_format(add)


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
    of_source = [("input", options.input), ("kafka_config", options.kafka_config)]
    prepare_runner(options, STREAMING, [*of_source, *paths_of_workers(options)])
