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
"""How long a bundle reads before it is committed, unless a boundary comes first. What comes meanwhile is one block:
of 600 events each it took 93 us an event to decode, protect and seal, of 5,000 it took 35."""

WINDOWS_AHEAD = 4
"""Reading waits for publishing when it is so many windows ahead, else a backlog sits in the runner's memory."""

_POLL_S = 0.1
"""So long a read gathers where the log is behind: of a backlog that fills a block."""

_SHARE, _LAST_S = 0.6, 0.1
"""Bundles take this share of what is left of a window, the last one all: little is then left to decode at its end."""

_BEYOND_S, _BRIEF_S = 0.02, 0.03
"""So long after a boundary a window's last bundle gathers, then in turns so long, until the first messages of the next
window are there, or the proof that there are none."""

_WAIT_S = 0.5


class PositionTracker(RestrictionTracker):
    """The position of a reader; it has no end and cannot be split, only left off and taken up again.

    A dynamic split would cut what has no middle; Prism then fails the job. And only the
    reader itself leaves off, between two reads: what it has given out is claimed after it.
    """

    def __init__(self, position: LogPosition) -> None:
        self._position = position
        self._is_leaving = self._left_off = False

    def current_restriction(self) -> LogPosition:
        return self._position

    def try_claim(self, position: LogPosition | None) -> bool:
        """Moves on; None says that the reader is about to leave off."""
        if position is None:
            self._is_leaving = True
        else:
            self._position = position
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[LogPosition, LogPosition] | None:
        if fraction_of_remainder > 0 or not self._is_leaving or self._left_off:
            return None
        self._left_off = True
        return self._position, self._position

    def check_done(self) -> None:
        if not self._left_off:
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
    """Starts at the reader's position."""

    @staticmethod
    def default_provider() -> Any:
        class _Provider(type(ManualWatermarkEstimator.default_provider())):  # type: ignore[misc]
            def initial_estimator_state(self, element: Any, restriction: LogPosition) -> Timestamp:
                return Timestamp(micros=restriction.watermark_ms * 1000)

        return _Provider()


_LOGS: dict[tuple[LogSource, int], Log] = {}
"""Open logs of this process: a bundle goes on with the client of the one before. (A consumer cannot be pickled,
and a DoFn may be made anew for each bundle.)"""


class LogSettings(NamedTuple):
    """What readers need to know; readers take the partitions whose number, modulo theirs, is their own."""

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
            until = time.monotonic() + _bundle_s(boundary_s)
            while not wait_s and time.monotonic() < until and log.position.watermark_ms < boundary_s * 1000:
                yield from self._read(log, log.position.watermark_ms, _patience_s(until, boundary_s))
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
        """Tells every bucket of a span of several windows in which nothing came; one of many readers cannot know."""
        if self._settings.readers == 1 and until_ms - before_ms > 2000 * self._interval_s:
            told = quiet_piece(until_ms // 1000)
            at = Timestamp(micros=before_ms * 1000)  # before the span's timers: Prism keeps the order of time
            for bucket in range(self._settings.buckets):
                yield beam.pvalue.TaggedOutput("quiet", TimestampedValue((bucket, told), at))

    def _log_at(self, reader: int, position: LogPosition) -> Log:
        """The open log where it stands at the position, else one that is opened there."""
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
        """Looks at the storage only where it seems so by what was seen there last."""
        if watermark_ms <= self._wait_at_ms:
            return False
        state = stream_state.load(self._settings.output, self._settings.stream)
        whole_to_s = state.whole_to_s if state else 0
        self._wait_at_ms = (whole_to_s + WINDOWS_AHEAD * self._interval_s) * 1000
        return watermark_ms > self._wait_at_ms


def _bundle_s(boundary_s: int) -> float:
    """How long a bundle is to read: the nearer the boundary the shorter."""
    left_s = boundary_s - time.time()
    return min(_SHARE * left_s, BUNDLE_S) if left_s > _LAST_S else BUNDLE_S


def _patience_s(until: float, boundary_s: int) -> float:
    """How long a read may gather: to the end of the bundle or just beyond the boundary; if that has passed, briefly."""
    past_s = time.time() - boundary_s
    if past_s >= 0:
        return _BRIEF_S if past_s < BUNDLE_S else _POLL_S
    return max(min(until - time.monotonic(), _BEYOND_S - past_s), _BRIEF_S)


class ReadLog(beam.PTransform):
    """An endless log from its positions on -> blocks, and what tells buckets of quiet spans.

    Unbounded. Every block once, stamped with the log's time of its earliest
    payload; no block spans a publish boundary. Reads on only while publishing
    keeps up. Raises SourceUnavailable, StorageUnavailable, InvalidOptions where
    trying again does not help; a broker that is gone is waited for.
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
