"""What Beam counts while a job goes on: bytes read, events decoded, buckets written.

A step adds once a block or bucket, never once an event. Every number goes to two
of Beam's counters, because no single one can be seen everywhere while a job
runs (2.77):

- `Metrics.counter` is summed over all workers by the runner. A portable runner or
  Dataflow tells it at any time. The FnApiRunner, our default, tells it only at
  the end: `Pipeline.run` returns when the job is over, its in-memory worker
  answers nothing while it works on a bundle (`EmbeddedWorkerHandler.push`), and
  all files are one bundle. Its `ProgressRequester` passes on nothing.
- A counter of the process can be read at any time, but only inside that process.
  That is where the FnApiRunner runs its steps.
"""

from apache_beam.metrics import Metrics
from apache_beam.metrics.execution import MetricsEnvironment
from apache_beam.metrics.metricbase import MetricName

NAMESPACE = "suggestion_telemetry"
_OF_PROCESS = f"{NAMESPACE}.process"  # another namespace: a runner that asks for both must not add them up


class Counter:
    """A number that only grows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._of_job = Metrics.counter(NAMESPACE, name)
        self._name_in_process = MetricName(_OF_PROCESS, name)
        self._of_process = Metrics.DelegatingCounter(self._name_in_process, process_wide=True)

    def add(self, count: int) -> None:
        """Adds; from a step, on any thread."""
        self._of_job.inc(count)
        self._of_process.inc(count)

    @property
    def in_this_process(self) -> int:
        """What was added in this process since it began, whatever job it was for."""
        return int(MetricsEnvironment.process_wide_container().get_counter(self._name_in_process).get_cumulative())


READ_BYTES = Counter("read_bytes")
"""Bytes of source files that were read, as they are stored."""

DECODED_EVENTS = Counter("decoded_events")
WRITTEN_BUCKETS = Counter("written_buckets")
