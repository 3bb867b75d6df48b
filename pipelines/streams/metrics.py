"""Figures of the endless job as OpenMetrics: served on a port, or in a text file."""

from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.openmetrics.exposition import generate_latest

from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.output.stream_state import freshness_s

_BUCKETS_S = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900)


class WindowFacts(NamedTuple):
    """What became whole since the last look."""

    events: int
    rows: int
    freshness_s: float
    lost_messages: int = 0


class StreamMetrics:
    """Counts since the job started; no figure is about a person."""

    def __init__(self, port: int | None, path: str | None, address: str = "127.0.0.1") -> None:
        """Raises InvalidOptions where the port cannot be had."""
        self._path = path
        self._registry = registry = CollectorRegistry()
        self._events = Counter("telemetry_events", "Events read, in whole windows.", registry=registry)
        self._rows = Counter("telemetry_rows", "Rows published, in whole windows.", registry=registry)
        self._whole_to = Gauge(
            "telemetry_whole_to_seconds", "Every window up to this time is whole.", registry=registry
        )
        self._received = Gauge(
            "telemetry_latest_received_at_seconds", "The latest receive time that is readable.", registry=registry
        )
        self._lag = Gauge(
            "telemetry_lag_messages", "Messages of the topic not yet in whole windows.", registry=registry
        )
        self._freshness = Histogram(
            "telemetry_freshness_seconds", "From a window's end until it was readable.", buckets=_BUCKETS_S,
            registry=registry,
        )  # fmt: skip
        self._lost = Counter(
            "telemetry_lost_messages", "Messages that retention took before they were read.", registry=registry
        )
        if port is not None:
            _serve(address, port, registry)

    def take(self, rows: list[dict[str, Any]], whole_to_s: int, lag_messages: int | None) -> WindowFacts:
        """Takes in the marks of windows that became whole."""
        fresh: dict[Any, float] = {}
        for row in rows:
            fresh[row["window_end"]] = max(freshness_s(row), fresh.get(row["window_end"], 0.0))
        facts = WindowFacts(
            sum(row["window_events"] or 0 for row in rows),
            sum(row["window_rows"] or 0 for row in rows),
            fresh[max(fresh)],
            sum(count for row in rows for _, count in row.get("lost_messages") or ()),
        )
        self._events.inc(facts.events)
        self._rows.inc(facts.rows)
        self._lost.inc(facts.lost_messages)
        self._whole_to.set(whole_to_s)
        for seconds in fresh.values():
            self._freshness.observe(seconds)
        received = max((row["latest_received_at"] for row in rows if row["latest_received_at"]), default=None)
        if received is not None:
            self._received.set(received.timestamp())
        if lag_messages is not None:
            self._lag.set(lag_messages)
        if self._path is not None:
            storage.write_atomic(self._path, generate_latest(self._registry))
        return facts


def _serve(address: str, port: int, registry: CollectorRegistry) -> None:
    try:
        start_http_server(port, address, registry)
    except OSError as cause:
        raise InvalidOptions(
            f"--metrics_port {port}, --metrics_address {address}: {cause.strerror or type(cause).__name__}; allowed is "
            "an address of this machine and a port that is free"
        ) from None
