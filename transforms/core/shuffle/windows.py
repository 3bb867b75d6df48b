"""Windows of the endless job, and portions: what is published at once.

A window is a span of log time between two boundaries. Boundaries are multiples of
the publish interval in seconds since 1970, so they do not depend on when a job was
started. Only the first window of a stream may begin elsewhere.
"""

from datetime import UTC, date, datetime
from typing import NamedTuple

_FORM = "%Y%m%dT%H%M%SZ"
"""How a window's end is written in names; it sorts as the time does."""


class Window(NamedTuple):
    """What came into a stream's log from `begin_s` up to `end_s`, exclusive, in seconds since 1970."""

    stream: str
    begin_s: int
    end_s: int

    @property
    def name(self) -> str:
        """What stands for the input in file names: the stream's digest and the window's end."""
        return f"{self.stream}.{datetime.fromtimestamp(self.end_s, UTC):{_FORM}}"

    @property
    def mark_day(self) -> date:
        """The received_date of the ledger row that marks the window as whole."""
        return mark_day(self.end_s)


class Portion(NamedTuple):
    """A bucket's share of a batch input or of a window: what one set of files holds.

    It is one of `buckets`, and has the slots that leave its number when they are divided by theirs.
    """

    input: str
    bucket: int
    window: Window | None = None
    buckets: int = 1

    def comes_after(self, other: str) -> bool:
        """Whether rows of the input of that name count as published before these.

        Rows of all other inputs do. Of the portion's own stream those windows do that ended by the begin of this
        one, and never itself or later ones, which a killed run may have left.
        """
        if self.window is None:
            return other != self.input
        end_s = window_end_s(other, self.window.stream)
        return end_s is None or end_s <= self.window.begin_s


def of_window(window: Window, bucket: int, buckets: int = 1) -> Portion:
    """A bucket's share of a window."""
    return Portion(window.name, bucket, window, buckets)


def window_end_s(name: str, stream: str) -> int | None:
    """The end of the window that an input's name stands for, in seconds since 1970.

    None where the name is none of a window of this stream.
    """
    prefix, _, end = name.partition(".")
    if prefix != stream:
        return None
    try:
        found = datetime.fromisoformat(end)
    except ValueError:
        return None
    # It reads other forms of a time, too; only our own is a window's.
    return int(found.timestamp()) if f"{found:{_FORM}}" == end else None


def mark_day(end_s: int) -> date:
    """The day in which the last second before a boundary lies."""
    # A window that ends at midnight belongs to the day that it lies in, not to the next one.
    return datetime.fromtimestamp(end_s - 1, UTC).date()


def boundary_after(moment_s: int, interval_s: int) -> int:
    """The first boundary that is later than `moment_s`; all in seconds, times since 1970."""
    return (moment_s // interval_s + 1) * interval_s
