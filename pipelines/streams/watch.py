"""Watches an endless job from outside: which windows are whole, how fresh, and when to stop."""

import math
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from apache_beam.runners.runner import PipelineState

from pipelines.keeping.months import months_warning
from pipelines.runners.flink_rest import cancel_flink_job
from pipelines.running.interrupts import end_at_once, handle_by
from pipelines.running.runner_errors import pipeline_error
from pipelines.running.thread_errors import expect_thread_errors
from pipelines.streams.metrics import StreamMetrics
from pipelines.streams.start import topic_admin
from pipelines.streams.two_processes import Reader
from schemas.errors import InvalidOptions, PipelineError, RunnerUnavailable, SourceUnavailable, TopicReplaced
from transforms.core import storage
from transforms.core.chains.window_manifests import WindowManifests
from transforms.core.guard import FAILURES
from transforms.core.keys import keyring
from transforms.core.output import stream_state
from transforms.core.output.claim import held_by_this_run
from transforms.core.output.publishing import publishing_of
from transforms.core.output.stream_state import StreamState
from transforms.core.shuffle.windows import boundary_after
from transforms.core.topic_identity import part_name

_LOOKS_A_WINDOW = 25
_SHORTEST_LOOK_S, _LONGEST_LOOK_S = 0.2, 5.0
_REMOTE_LOOK_S = 2.0
_STALLED_WINDOWS, _STALLED_S = 3, 60.0
_STEP_FIRST_S = 1.0
"""A runner's own word for a failure waits so long for that of the step: Prism's may be about what came of it."""


class Watch:
    """Takes in whole windows one after another; holds the signals while it is entered.

    With a Reader, what a step of it or of this process raised ends the job: its runner does not try again.
    """

    def __init__(
        self, options: Any, state: StreamState, reader: Reader | None, manifests: WindowManifests | None = None
    ) -> None:
        self._options = options
        self._reader = reader
        self._state = state
        self._manifests = manifests
        self._interval_s = int(options.publish_interval.total_seconds())
        shortest_s = _SHORTEST_LOOK_S if storage.is_local(options.output.path) else _REMOTE_LOOK_S
        self._look_s = min(max(self._interval_s / _LOOKS_A_WINDOW, shortest_s), _LONGEST_LOOK_S)
        self._stalled_s = max(_STALLED_WINDOWS * self._interval_s, _STALLED_S)
        self._stalls_at = time.monotonic() + self._stalled_s
        self._admin = topic_admin(options)
        self._metrics = StreamMetrics(options.metrics_port, options.metrics_file, options.metrics_address)
        self._stop_at_s: int | None = None
        self._failure: Exception | None = None
        self._months_told_on = datetime.now(UTC).date()  # when the output was taken
        self._term_handler: Any = None

    def __enter__(self) -> "Watch":
        self._term_handler = signal.signal(signal.SIGTERM, self._told_to_stop)
        handle_by(self._told_to_stop)
        day = datetime.fromtimestamp(self._state.whole_to_s, UTC)
        print(f"going on from {day:%Y-%m-%dT%H:%M:%SZ}", file=sys.stderr, flush=True)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        signal.signal(signal.SIGTERM, self._term_handler)
        handle_by(None)

    def _told_to_stop(self, *_: Any) -> None:
        if self._stop_at_s is not None:
            end_at_once()
        self._stop_at_s = boundary_after(int(time.time()), self._interval_s)
        print(
            f"stopping once the window to {_clock(self._stop_at_s)} is whole; again to stop at once",
            file=sys.stderr,
            flush=True,
        )

    def until_stopped(self, result: Any) -> None:
        """Returns when the window in which a signal came is whole; raises what made the job fail."""
        threading.Thread(target=self._wait_for_failure, args=(result,), daemon=True).start()
        try:
            while self._stop_at_s is None or self._state.whole_to_s < self._stop_at_s:
                self._raise_failure()
                if not self._take_in():
                    self._tell_of_stall()
                    time.sleep(self._look_s)
        finally:
            self._cancel(result)
        self._leave_whole()

    def _take_in(self) -> bool:
        """Whether windows have become whole; they are signed and told then."""
        rows = stream_state.advance(self._state, self._is_same_topic)
        if not rows:
            return False
        if self._manifests:
            self._manifests.take_in()
        self._tell(rows)
        self._tell_of_months()
        self._stalls_at = time.monotonic() + self._stalled_s
        return True

    def _leave_whole(self) -> None:
        """Takes in what became whole while the runner ended, and removes what did not.

        The next start does so where the broker is gone, and with what workers on other machines write after this.
        """
        publishing_of(held_by_this_run(self._options.output)).end()
        if not self._is_same_topic():
            return
        self._take_in()
        proof = self._manifests.proof if self._manifests else None
        if stream_state.remove_unfinished(self._state, proof) and self._manifests:
            self._manifests.stop()

    def _is_same_topic(self) -> bool:
        """Asked when a window seems whole: it is not, if the topic it was read from was made anew meanwhile.

        While the broker is gone windows wait. Raises TopicReplaced.
        """
        if self._admin is None:
            return True
        try:
            self._admin.check_is(self._state.identity)
        except TopicReplaced:
            raise
        except SourceUnavailable:
            return False
        return True

    def _tell_of_months(self) -> None:
        """Once a day, as a job that does not end does not look at its key ring again by itself."""
        now = datetime.now(UTC)
        if now.date() == self._months_told_on:
            return
        self._months_told_on = now.date()
        try:
            line = months_warning(keyring.load(self._options.key_ring), self._options.key_ring, now)
        except PipelineError as cause:  # steps that need it say so themselves
            line = f"warning: {cause}"
        if line:
            print(line, file=sys.stderr, flush=True)

    def _tell_of_stall(self) -> None:
        """One line for each time that no window becomes whole: a broker that is gone is waited for, and of 11 starts on
        a busy machine Flink gave 2 jobs no data at all.
        """
        if time.monotonic() > self._stalls_at:
            self._stalls_at = math.inf
            print(
                f"no window became whole for {self._stalled_s:.0f} s: look at the source, and at the runner's workers; "
                "a job that gets no data can be killed and started again",
                file=sys.stderr,
                flush=True,
            )

    def _raise_failure(self) -> None:
        if self._reader is not None and (failure := self._reader.failure() or next(iter(FAILURES), None)):
            raise failure
        if self._failure is not None:
            raise pipeline_error(self._failure) from None

    def _wait_for_failure(self, result: Any) -> None:
        """An endless job that ends by itself has failed; a runner tells why as an exception, a step tells it better."""
        try:
            failure: Exception = RunnerUnavailable(f"the runner ended the job: {result.wait_until_finish()}")
        except Exception as error:  # noqa: BLE001 - a runner raises anything; it is raised again as one of ours
            failure = error
        time.sleep(_STEP_FIRST_S)
        self._failure = failure

    def _tell(self, rows: list[dict[str, Any]]) -> None:
        lag = self._lag_messages()
        facts = self._metrics.take(rows, self._state.whole_to_s, lag)
        print(
            f"window to {_clock(self._state.whole_to_s)}: {facts.events:,} events, {facts.rows:,} rows, "
            f"readable {facts.freshness_s:.1f} s after its end"
            + ("" if lag is None else f", {lag:,} messages behind")
            + (f", {facts.lost_messages:,} messages lost to retention" if facts.lost_messages else ""),
            file=sys.stderr,
            flush=True,
        )

    def _lag_messages(self) -> int | None:
        if self._admin is None:
            return None
        try:
            ends = self._admin.end_offsets()
        except (SourceUnavailable, InvalidOptions):
            return None
        positions, generation = self._state.positions, self._state.generation
        return sum(max(end - positions.get(part_name(p, generation), 0), 0) for p, end in ends.items())

    def _cancel(self, result: Any) -> None:
        expect_thread_errors()
        if self._options.flink_rest is not None:
            cancel_flink_job(self._options.flink_rest, result)
        elif result.state in (PipelineState.RUNNING, PipelineState.STARTING):
            result.cancel()


def _clock(moment_s: int) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%H:%M:%SZ}"
