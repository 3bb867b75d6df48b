"""GroupByWindow: sealed pieces of an endless log -> all pieces of each bucket and window, in order."""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder, TupleCoder, VarIntCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from transforms.core.shuffle.pieces import Sealed, quiet_piece, quiet_until_s
from transforms.core.shuffle.windows import Portion, Window, boundary_after, of_window


class _Group(beam.DoFn):
    """Holds a bucket's pieces, and yields those of a window when the watermark passes its end."""

    # Pieces, each with its time in microseconds since 1970; and where the next window begins, in seconds since 1970.
    PIECES = BagStateSpec("pieces", TupleCoder((VarIntCoder(), BytesCoder())))
    BEGIN = ReadModifyWriteStateSpec("begin", VarIntCoder())
    PUBLISH = TimerSpec("publish", TimeDomain.WATERMARK)

    def __init__(self, stream: str, interval_s: int, buckets: int, until_s: int | None) -> None:
        self._stream = stream
        self._interval_s = interval_s
        self._buckets = buckets
        self._until_s = until_s

    def process(
        self,
        element: Sealed,
        timestamp: Any = beam.DoFn.TimestampParam,
        pieces: Any = beam.DoFn.StateParam(PIECES),
        begin: Any = beam.DoFn.StateParam(BEGIN),
        publish: Any = beam.DoFn.TimerParam(PUBLISH),
    ) -> None:
        until_s = quiet_until_s(element[1])
        if until_s is None:
            pieces.add((timestamp.micros, element[1]))
        # The first quiet piece of a bucket is its seed: it says where the first window begins, and sets the timer.
        elif begin.read() is None:
            begin.write(until_s)
            publish.set(Timestamp(boundary_after(until_s, self._interval_s)))
        else:
            end_s = until_s // self._interval_s * self._interval_s
            is_gap = end_s > boundary_after(begin.read(), self._interval_s)
            # After a long silence one long window is published instead of many empty ones, unless it holds a piece.
            if is_gap and all(time_us >= end_s * 1_000_000 for time_us, _ in pieces.read()):
                publish.set(Timestamp(end_s))

    @on_timer(PUBLISH)  # type: ignore[untyped-decorator]
    def publish(
        self,
        bucket: Any = beam.DoFn.KeyParam,
        timestamp: Any = beam.DoFn.TimestampParam,
        pieces: Any = beam.DoFn.StateParam(PIECES),
        begin: Any = beam.DoFn.StateParam(BEGIN),
        publish: Any = beam.DoFn.TimerParam(PUBLISH),
    ) -> Iterator[tuple[Portion, list[bytes]]]:
        end_s = timestamp.micros // 1_000_000
        held = list(pieces.read())
        window = Window(self._stream, begin.read(), end_s)
        # Pieces of later windows may be here already. Late ones, of windows before, go into this one.
        pieces.clear()
        for time_us, piece in held:
            if time_us >= end_s * 1_000_000:
                pieces.add((time_us, piece))
        begin.write(end_s)
        if self._until_s is None or end_s < self._until_s:
            publish.set(Timestamp(boundary_after(end_s, self._interval_s)))
        yield (
            of_window(window, bucket, self._buckets),
            [piece for time_us, piece in held if time_us < end_s * 1_000_000],
        )


class GroupByWindow(beam.PTransform):
    """(bucket, sealed), stamped with the log's time -> (portion, its pieces), one for each bucket and window.

    Windows of a bucket come in order, empty ones too. Each begins where the one
    before it ended, the first at `start_s`. Pieces are held in state until their
    window is over; one that comes later than that is in the next window. `until_s`
    ends a bounded log, an endless one has none; both are seconds since 1970. The
    step works in Beam's global window, because at the end of another window's time
    Prism gives timers an empty state.
    """

    def __init__(
        self,
        stream: str,
        interval_s: int,
        buckets: int,
        start_s: int,
        until_s: int | None = None,
        quiet: beam.PCollection[Sealed] | None = None,
    ) -> None:
        super().__init__()
        self._do_fn = _Group(stream, interval_s, buckets, until_s)
        self._buckets = buckets
        self._start_s = start_s
        self._quiet = () if quiet is None else (quiet,)

    def expand(self, pieces: beam.PCollection[Sealed]) -> beam.PCollection[tuple[Portion, Iterable[bytes]]]:
        buckets = pieces.pipeline | "Buckets" >> beam.Create(range(self._buckets), reshuffle=False)
        seeds = buckets | "EveryBucket" >> beam.Map(_seed, self._start_s).with_output_types(Sealed)
        group = beam.ParDo(self._do_fn).with_output_types(tuple[Portion, Iterable[bytes]])
        return (pieces, seeds, *self._quiet) | "WithEveryBucket" >> beam.Flatten() | "Group" >> group


def _seed(bucket: int, start_s: int) -> TimestampedValue:
    return TimestampedValue((bucket, quiet_piece(start_s)), start_s)
