"""Figures of the collector as OpenMetrics; no label is about a client, and each has a handful of values."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from pipelines.collector.bodies import Memory
from pipelines.collector.records import Committed, Fate, Sink

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_GROUP_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_LOOPBACK = "127.0.0.1"


class Figures:
    """Counts since the process started."""

    def __init__(self, memory: Memory) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "collect_requests", "Requests answered, by endpoint and status.", ("endpoint", "status"), registry=registry
        )
        self._seconds = Histogram(
            "collect_request_seconds", "From a request's head to its answer.", buckets=_BUCKETS_S, registry=registry
        )
        self._events = Counter(
            "collect_events",
            "Events of bodies that were read: stored (acknowledged), off (their key stands for level off; not stored), "
            "unknown_key or not_json (refused).",
            ("fate",),
            registry=registry,
        )
        self._bytes = Counter("collect_body_bytes", "Bodies that were stored, as stored.", registry=registry)
        self._commits = Histogram(
            "collect_commit_seconds", "One commit of a group.", buckets=_BUCKETS_S, registry=registry
        )
        self._groups = Histogram(
            "collect_commit_records", "Records in a group.", buckets=_GROUP_BUCKETS, registry=registry
        )
        self._failed = Counter("collect_failed_records", "Records that did not become durable.", registry=registry)
        self._files = Gauge("collect_rolled_files", "Files rolled into the folder.", registry=registry)
        held = Gauge("collect_held_bytes", "Bodies in memory now.", registry=registry)
        held.set_function(lambda: memory.held_bytes)

    def serve(self, port: int) -> None:
        """On a port of its own on loopback; raises OSError where it is taken."""
        start_http_server(port, addr=_LOOPBACK, registry=self._registry)

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """A request has its answer."""
        self._requests.labels(endpoint, status).inc()
        self._seconds.observe(seconds)

    def events(self, fate: str, count: int) -> None:
        """Events have their fate."""
        if count:
            self._events.labels(fate).inc(count)

    def stored(self, body_bytes: int) -> None:
        """A request's records are durable."""
        self._bytes.inc(body_bytes)

    def committed(self, records: int, seconds: float, committed: Committed) -> None:
        """A group was committed, or was not."""
        self._commits.observe(seconds)
        self._groups.observe(records)
        self._failed.inc(sum(fate is not Fate.DURABLE for fate in committed.fates))

    def rolled(self, sink: Sink) -> None:
        """The sink's own count."""
        self._files.set(sink.rolled_files)
