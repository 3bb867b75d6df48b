"""Windows of the endless job, and portions: what is published at once.

A window is a span of log time between two boundaries; boundaries are multiples
of the publish interval, so that they do not depend on when a job was started.
"""

from datetime import UTC, date, datetime
from typing import NamedTuple

_FORM = "%Y%m%dT%H%M%SZ"


class Window(NamedTuple):
    """What a stream's log took in from one boundary, in seconds since 1970, up to another one, exclusive."""

    stream: str
    begin_s: int
    end_s: int

    @property
    def name(self) -> str:
        """What stands in file names for the input: the stream's digest and the window's end."""
        return f"{self.stream}.{datetime.fromtimestamp(self.end_s, UTC):{_FORM}}"

    @property
    def mark_day(self) -> date:
        """The received_date of the ledger row that marks the window as whole."""
        return mark_day(self.end_s)


class Portion(NamedTuple):
    """A bucket's share of a batch input or of a window: what one set of files holds."""

    input: str
    bucket: int
    window: Window | None = None

    def comes_after(self, other: str) -> bool:
        """Whether rows of an input of that name were published before these.

        Other inputs were; of the own stream, windows that ended by the begin of this one; never
        later windows, which a killed run may have left.
        """
        if self.window is None:
            return other != self.input
        end_s = window_end_s(other, self.window.stream)
        return end_s is None or end_s <= self.window.begin_s


def of_window(window: Window, bucket: int) -> Portion:
    """A bucket's share of a window."""
    return Portion(window.name, bucket, window)


def window_end_s(name: str, stream: str) -> int | None:
    """The end of the window that an input's name stands for; None where it is none of this stream."""
    prefix, _, end = name.partition(".")
    if prefix != stream or not end:
        return None
    return int(datetime.strptime(end, _FORM).replace(tzinfo=UTC).timestamp())


def mark_day(end_s: int) -> date:
    """The day in which the last moment before a boundary lies."""
    return datetime.fromtimestamp(end_s - 1, UTC).date()


def boundary_after(moment_s: int, interval_s: int) -> int:
    """The first boundary later than the moment."""
    return (moment_s // interval_s + 1) * interval_s
