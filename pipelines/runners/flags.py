"""Flags about runners that both jobs take: Flink's own, which go to its job server, and ours, which no runner sees."""

from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.options.flags import whole_number

_MOST = 2**31 - 1
_BATCH_MODES = ("PIPELINED", "PIPELINED_FORCED", "BATCH", "BATCH_FORCED")


class FlinkFlags(PipelineOptions):
    """Flags of Flink's job server that matter here. Beam finds them by this class's base and sends them on."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        def number(name: str, low: int, metavar: str, told: str) -> None:
            parser.add_argument(name, type=whole_number(low, _MOST), metavar=metavar, help=f"Flink: {told}")

        number("--checkpointing_interval", 1, "MS", "time between checkpoints. Default: 10000 in streaming.")
        number("--checkpoint_timeout_millis", 1, "MS", "a checkpoint that takes longer is given up.")
        number("--min_pause_between_checkpoints", 0, "MS", "least time from one checkpoint to the next.")
        number("--max_bundle_size", 1, "ELEMENTS", "how much a bundle may hold.")
        number("--max_bundle_time_mills", 1, "MS", "how long a bundle may last. Default: 100 in streaming.")
        number("--number_of_execution_retries", 0, "TIMES",
               "streaming: restarts after failures in a job's whole life. Default: 20.")  # fmt: skip
        number("--execution_retry_delay", 0, "MS", "streaming: wait before a restart. Default: 500.")
        parser.add_argument("--finish_bundle_before_checkpointing", action="store_true", default=False,
            help="Flink: always so in streaming; without it the first checkpoint may swallow the source.")  # fmt: skip
        parser.add_argument("--execution_mode_for_batch", choices=_BATCH_MODES,
            help="Flink: stages run at once (PIPELINED, its default) or one after another (BATCH).")  # fmt: skip
        parser.add_argument("--state_backend", choices=("rocksdb", "filesystem"), help="Flink: where state lies.")
        parser.add_argument("--state_backend_storage_path", metavar="URL", help="Flink: where checkpoints lie.")
        parser.add_argument("--flink_conf_dir", metavar="DIR", help="Flink: a folder of settings, on its job server.")


def add_runner_flags(add: Any) -> None:
    """Adds ours by an argparse parser's `add_argument`."""
    add("--flink_rest", metavar="URL",
        help="Flink: its REST address, as in http://localhost:8081. By it the job is ended, and takes all slots of the "
        "cluster where --parallelism says nothing.")  # fmt: skip
    add("--shared_filesystem", action="store_true", default=False,
        help="Local paths lead to the same files here and on every machine with workers (NFS).")  # fmt: skip
