"""Flags of the batch job that say who is told about a run, and the listeners that they stand for."""

from typing import Any

from pipelines.options.flags import received_date
from pipelines.options.input_files import RECEIVED_DATE
from pipelines.recording.lineage import Lineage
from pipelines.recording.listener import Listener
from pipelines.recording.log_lines import LogLines, add_log_format
from pipelines.recording.metrics_file import MetricsFile
from pipelines.recording.record_file import RecordFile


def add_recording_flags(add: Any) -> None:
    """Adds them by an argparse parser's `add_argument`."""
    add("--received_date", type=received_date, metavar="YYYY-MM-DD",
        help=f"The day that stands for {RECEIVED_DATE} in --input, as in gs://raw/{RECEIVED_DATE}/*.gz; in UTC, today "
        "and yesterday are allowed. It names the input and filters nothing: an event that was received on another day "
        "lands under that day.")  # fmt: skip
    add_telling_flags(add)


def add_telling_flags(add: Any) -> None:
    """Those that say who is told, without those that name an input."""
    add_log_format(add)
    add("--metrics_file", metavar="FILE.prom",
        help="Write the figures of the run to this file at its end, for node_exporter's textfile "
        "collector.")  # fmt: skip
    add("--openlineage", metavar="URL|FILE",
        help="Send an OpenLineage event when the run begins and when it ends, to a server, or add it to a local file. "
        "OPENLINEAGE_API_KEY in the environment is the key of the server. Default: none is sent.")  # fmt: skip


def listeners_of(options: Any) -> list[Listener]:
    """Who is told, in this order; raises InvalidOptions where one of them cannot be."""
    found: list[Listener] = [RecordFile(options.output, options.key_ring)]
    if options.metrics_file:
        found.append(MetricsFile(options.metrics_file))
    found.append(LogLines())
    if options.openlineage:
        found.append(Lineage(options.openlineage, options.output))
    return found
