"""`--metrics_file` of the batch job: the figures of its last run, for the textfile collector of node_exporter.

All figures are gauges, and no name has a suffix of its own, so that the file is OpenMetrics and the older text format
of Prometheus at once: that is what node_exporter reads, for which the last line `# EOF` is a comment.
"""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.recording.listener import Listener
from pipelines.recording.record import Record
from schemas.errors import ExitCode, InvalidOptions
from transforms.core import storage

_LAST_SUCCESS = "telemetry_batch_last_success_timestamp_seconds"
_FATES = ("landed", "duplicate", "withheld", "outside_contract", "quarantined")


class MetricsFile(Listener):
    """Writes the file at the end of a run, whole or not at all, also of a run that failed."""

    def __init__(self, path: str) -> None:
        """Raises InvalidOptions where node_exporter would not see it: at the end it would be too late to say so."""
        self._path = path
        folder = storage.absolute(path).rpartition("/")[0]
        if not path.endswith(".prom") or not storage.can_hold_files(folder or "/"):
            raise InvalidOptions(
                f"--metrics_file {path}: allowed is a name that ends in .prom, in a folder that is there"
            )

    def ended(self, record: Record) -> None:
        """Writes it."""
        storage.write_atomic(self._path, metrics_of(record, self._last_success_s()))

    def _last_success_s(self) -> float | None:
        """What the file before this one said; None where there was none that can be read."""
        if not storage.exists(self._path):
            return None
        try:
            text = storage.read_bytes(self._path).decode()
            families = {family.name: family for family in text_string_to_metric_families(text)}
        except ValueError:  # somebody else's file
            return None
        return next((s.value for s in families[_LAST_SUCCESS].samples), None) if _LAST_SUCCESS in families else None


def metrics_of(record: Record, last_success_s: float | None) -> bytes:
    """The file of a run that ended; `last_success_s` is when the last one before it ended well, since 1970."""
    registry = CollectorRegistry()
    ended_s = record.ended_at.timestamp() if record.ended_at else 0.0
    is_good = record.exit_code in (ExitCode.DONE, ExitCode.NOTHING_TO_DO)
    figures: dict[str, tuple[str, float | None]] = {
        "telemetry_batch_start_timestamp_seconds": ("When the last run began.", record.started_at.timestamp()),
        "telemetry_batch_end_timestamp_seconds": ("When the last run ended.", ended_s),
        _LAST_SUCCESS: ("When a run last ended with exit code 0 or 4.", ended_s if is_good else last_success_s),
        "telemetry_batch_duration_seconds": ("How long the last run took.", record.seconds),
        "telemetry_batch_exit_code": ("Exit code of the last run.", record.exit_code),
        "telemetry_batch_input_files": ("Files of the last run's input.", record.input.files if record.input else None),
        "telemetry_batch_input_bytes": ("Size of the last run's input.", record.input.bytes if record.input else None),
    }
    for name, (text, value) in figures.items():
        if value is not None:
            Gauge(name, text, registry=registry).set(value)
    _add_labelled(registry, "telemetry_batch_stage_seconds", "How long a stage of the last run took.", "stage",
                  {stage.name: stage.seconds for stage in record.stages})  # fmt: skip
    _add_labelled(registry, "telemetry_batch_events", "Events of the last run, by what became of them.", "fate",
                  dict(_fates(record)))  # fmt: skip
    rows = (record.books or {}).get("rows")
    _add_labelled(registry, "telemetry_batch_rows", "Rows that the last run wrote.", "dataset",
                  rows if isinstance(rows, dict) else {})  # fmt: skip
    return generate_latest(registry)


def _fates(record: Record) -> Iterator[tuple[str, int]]:
    for fate in _FATES if record.books else ():
        counts = (record.books or {})[fate]
        yield fate, sum(counts.values()) if isinstance(counts, dict) else counts


def _add_labelled(registry: CollectorRegistry, name: str, text: str, label: str, values: Mapping[str, float]) -> None:
    if values:
        gauge = Gauge(name, text, [label], registry=registry)
        for key, value in values.items():
            gauge.labels(key).set(value)
