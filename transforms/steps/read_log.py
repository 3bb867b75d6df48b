"""ReadLog: a Kafka topic or a watched folder -> blocks of payloads, without end."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

from transforms.core.blocks import Block
from transforms.core.guard import payload_free_errors
from transforms.core.output import stream_state
from transforms.core.output.layout import Output
from transforms.core.reading.log import Log, LogPosition, LogSource, ReadBefore
from transforms.core.reading.open_log import open_log
from transforms.core.shuffle.pieces import Sealed, quiet_piece
from transforms.core.shuffle.windows import boundary_after

BUNDLE_S = 1.0
"""Seconds that a bundle reads before it is committed, unless a boundary comes first. Everything that comes meanwhile
is one block. To decode, protect and seal an event took 93 us in blocks of 600 and 35 us in blocks of 5,000."""

WINDOWS_AHEAD = 4
"""Reading waits when it is so many windows ahead of publishing, else a backlog fills the runner's memory."""

_POLL_S = 0.1
"""Seconds a read may wait while it is behind; a backlog fills a block in that time."""

_BUNDLE_SHARE, _LAST_BUNDLE_S = 0.6, 0.1
"""A bundle reads for this share of the time left in a window, and the last one for the rest of it: then little is left
to decode when the window ends."""

_PAST_BOUNDARY_S, _BRIEF_S = 0.02, 0.03
"""Seconds that a window's last bundle reads on after the boundary, and then the seconds of each further read, until
the first messages of the next window come, or the proof that there are none."""

_WAIT_S = 0.5
"""Seconds until a reader that is too far ahead looks again."""


class PositionTracker(RestrictionTracker):
    """The position of a reader. It has no end and cannot be split; reading can only stop and go on later.

    An endless range has no middle: where Prism splits one, the job fails. Only the reader itself stops, between
    two reads, because it claims a position after it has given out what stands before it.
    """

    def __init__(self, position: LogPosition) -> None:
        self._position = position
        self._is_stopping = self._has_stopped = False

    def current_restriction(self) -> LogPosition:
        return self._position

    def try_claim(self, position: LogPosition | None) -> bool:
        """Moves on; None says that the reader is about to stop."""
        if position is None:
            self._is_stopping = True
        else:
            self._position = position
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[LogPosition, LogPosition] | None:
        if fraction_of_remainder > 0 or not self._is_stopping or self._has_stopped:
            return None
        self._has_stopped = True
        return self._position, self._position

    def check_done(self) -> None:
        if not self._has_stopped:
            raise ValueError("an endless log was given up")

    def current_progress(self) -> RestrictionProgress:
        return RestrictionProgress(fraction=0.5)

    def is_bounded(self) -> bool:
        return False


class _Positions(RestrictionProvider):
    """Readers begin where the stream's output ended."""

    def initial_restriction(self, element: tuple[int, LogPosition]) -> LogPosition:
        return element[1]

    def create_tracker(self, restriction: LogPosition) -> PositionTracker:
        return PositionTracker(restriction)

    def restriction_size(self, element: tuple[int, LogPosition], restriction: LogPosition) -> int:
        return 1

    def truncate(self, element: tuple[int, LogPosition], restriction: LogPosition) -> None:
        return None


class _Watermark(ManualWatermarkEstimator):
    """A watermark that starts at the reader's position."""

    @staticmethod
    def default_provider() -> Any:
        class _Provider(type(ManualWatermarkEstimator.default_provider())):  # type: ignore[misc]
            def initial_estimator_state(self, element: Any, restriction: LogPosition) -> Timestamp:
                return Timestamp(micros=restriction.watermark_ms * 1000)

        return _Provider()


_LOGS: dict[tuple[LogSource, int], Log] = {}
"""Open logs of this process: a bundle goes on with the client of the bundle before it. (A consumer cannot be pickled,
and a runner may make a new DoFn for each bundle.)"""


class LogSettings(NamedTuple):
    """What readers need to know. With several readers, partition p belongs to the reader p modulo `readers`."""

    source: LogSource
    output: Output
    stream: str
    interval_s: int
    buckets: int
    readers: int = 1


class _Read(beam.DoFn):
    def __init__(self, settings: LogSettings) -> None:
        self._settings = settings
        self._interval_s = settings.interval_s
        self._wait_at_ms = 0

    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    def process(
        self,
        element: tuple[int, LogPosition],
        tracker: Any = beam.DoFn.RestrictionParam(_Positions()),
        estimator: Any = beam.DoFn.WatermarkEstimatorParam(_Watermark.default_provider()),
    ) -> Iterator[Any]:
        reader, _ = element
        with payload_free_errors():
            log = self._log_at(reader, tracker.current_restriction())
            wait_s = _WAIT_S if self._is_far_ahead(log.position.watermark_ms) else 0.0
            boundary_s = boundary_after(log.position.watermark_ms // 1000, self._interval_s)
            until_s = time.monotonic() + _bundle_s(boundary_s)
            while not wait_s and time.monotonic() < until_s and log.position.watermark_ms < boundary_s * 1000:
                yield from self._read(log, log.position.watermark_ms, _read_timeout_s(until_s, boundary_s))
                tracker.try_claim(log.position)
                estimator.set_watermark(Timestamp(micros=log.position.watermark_ms * 1000))
            tracker.try_claim(None)
            tracker.defer_remainder(Duration(wait_s))

    def _read(self, log: Log, before_ms: int, timeout_s: float) -> Iterator[Any]:
        is_first = True
        for time_ms, block in log.read(timeout_s, self._interval_s):
            if is_first:
                yield from self._quiet(before_ms, time_ms)
                is_first = False
            yield TimestampedValue(block, Timestamp(micros=time_ms * 1000))
        if is_first:
            yield from self._quiet(before_ms, log.position.watermark_ms)

    def _quiet(self, before_ms: int, until_ms: int) -> Iterator[Any]:
        """Tells every bucket that nothing came for several windows. (One of several readers cannot know that.)"""
        if self._settings.readers == 1 and until_ms - before_ms > 2000 * self._interval_s:
            told = quiet_piece(until_ms // 1000)
            at = Timestamp(micros=before_ms * 1000)  # before the span's timers: Prism keeps the order of time
            for bucket in range(self._settings.buckets):
                yield beam.pvalue.TaggedOutput("quiet", TimestampedValue((bucket, told), at))

    def _log_at(self, reader: int, position: LogPosition) -> Log:
        """The open log if it stands at the position, else a log that is opened there."""
        settings, key = self._settings, (self._settings.source, reader)
        if key in _LOGS and _LOGS[key].position != position:
            _LOGS.pop(key).close()
        if key not in _LOGS:
            state = stream_state.load(settings.output, settings.stream)
            before = (
                ReadBefore(state.positions, state.identity, state.generation, state.gaps) if state else ReadBefore()
            )
            _LOGS[key] = open_log(settings.source, position, before, reader, settings.readers)
        return _LOGS[key]

    def _is_far_ahead(self, watermark_ms: int) -> bool:
        """Whether reading must wait for publishing. Looks at the storage only if it seems so from the last look."""
        if watermark_ms <= self._wait_at_ms:
            return False
        state = stream_state.load(self._settings.output, self._settings.stream)
        whole_to_s = state.whole_to_s if state else 0
        self._wait_at_ms = (whole_to_s + WINDOWS_AHEAD * self._interval_s) * 1000
        return watermark_ms > self._wait_at_ms


def _bundle_s(boundary_s: int) -> float:
    """Seconds that a bundle reads: the nearer the boundary, the fewer."""
    left_s = boundary_s - time.time()
    return min(_BUNDLE_SHARE * left_s, BUNDLE_S) if left_s > _LAST_BUNDLE_S else BUNDLE_S


def _read_timeout_s(until_s: float, boundary_s: int) -> float:
    """Seconds that a read may wait: to the end of its bundle or just past the boundary, or briefly if that is over."""
    past_s = time.time() - boundary_s
    if past_s >= 0:
        return _BRIEF_S if past_s < BUNDLE_S else _POLL_S
    return max(min(until_s - time.monotonic(), _PAST_BOUNDARY_S - past_s), _BRIEF_S)


class ReadLog(beam.PTransform):
    """An endless log from its positions on -> blocks, and pieces that tell buckets of spans in which nothing came.

    Unbounded. Gives every block once, with the log's time of its earliest payload; no block spans a publish
    boundary. Reading waits while publishing is behind. Raises SourceUnavailable, StorageUnavailable or
    InvalidOptions where trying again does not help; it waits for a broker that is gone.
    """

    def __init__(self, settings: LogSettings, start: LogPosition) -> None:
        super().__init__()
        self._settings = settings
        self._start = start

    def expand(self, begin: beam.pvalue.PBegin) -> Any:  # a hint of two collections is none that Beam knows
        every = [(reader, self._start) for reader in range(self._settings.readers)]
        readers = begin | "Readers" >> beam.Create(every, reshuffle=False)
        read = readers | "Read" >> beam.ParDo(_Read(self._settings)).with_outputs("quiet", main="blocks")
        read.blocks.element_type, read.quiet.element_type = Block, Sealed
        return read.blocks, read.quiet
