"""Who owns what buckets remember: lent for a portion, given back when its files are written, kept for the next window.

The steps after the shuffle share one memory a process. A value that passes between
them bears the number of its loan, never the memory itself: so values stay frozen,
and what a failed try has half changed is never used again.
"""

from collections.abc import Mapping
from datetime import date
from itertools import count
from typing import NamedTuple

import pyarrow as pa

from schemas.errors import PipelineError
from transforms.core.output.layout import Listing, Output
from transforms.core.output.published import PublishedRows
from transforms.core.recent.recent import Recent
from transforms.core.shuffle.windows import Portion

_Place = tuple[str, int]


class Published(NamedTuple):
    """What a bucket has to remember of a portion.

    `latest_us` is the latest receive time that the stream has seen, in microseconds since 1970. `quiet_since_s` is
    the begin of the quiet span that ended with the portion, in seconds since 1970; None where something came. Keys
    of rows received before `forget_before_us`, in microseconds since 1970, may be forgotten; None: all are kept.
    """

    tables: Mapping[tuple[str, date], pa.Table]
    latest_us: int | None
    quiet_since_s: int | None
    forget_before_us: int | None


class BucketMemory:
    """The memories of an output's buckets in this process."""

    def __init__(self) -> None:
        self._kept: dict[_Place, tuple[int, Recent]] = {}
        self._lent: dict[_Place, Recent] = {}
        self._loans = count(1)

    @staticmethod
    def of(output: Output) -> "BucketMemory":
        """The one memory of an output in this process."""
        return _MEMORIES.setdefault(output, BucketMemory())

    def lend(self, portion: Portion, listing: Listing) -> Recent:
        """What was published before a portion, as it was kept, else to be read from the files that are listed.

        Raises StorageUnavailable. A loan of the same bucket that was not given back is over: its try has failed.
        """
        published = PublishedRows(listing, portion)
        recent = self._as_kept(portion)
        if recent is not None:
            recent.published = published
            recent.settle()
        else:
            recent = Recent(published, is_kept=portion.window is not None)
            if portion.window is not None:
                recent.read_mark(portion.window)
        recent.loan = next(self._loans)
        self._lent[_place(portion)] = recent
        return recent

    def lent(self, portion: Portion, loan: int) -> Recent:
        """What was lent under that number; raises PipelineError where the loan is over.

        After a failure a runner may go on in a thread beside the one that tries again.
        """
        recent = self._lent.get(_place(portion))
        if recent is None or recent.loan != loan:
            raise PipelineError(
                "another try of this portion has begun; this one ends, and its files are written by the other"
            )
        return recent

    def give_back(self, portion: Portion, loan: int, published: Published | None) -> None:
        """Ends a loan. Of a window it keeps what the next one needs; None: its files were there already.

        To be called once every file of the portion is written.
        """
        recent = self.lent(portion, loan)
        del self._lent[_place(portion)]
        if portion.window is None or published is None:
            return
        recent.latest_us, recent.quiet_since_s = published.latest_us, published.quiet_since_s
        recent.remember(published.tables)
        if published.forget_before_us is not None:
            recent.forget_before(published.forget_before_us)
        self._kept[_place(portion)] = (portion.window.end_s, recent)

    def settle(self, portion: Portion) -> None:
        """Does what a published portion has put off, if nobody was lent its bucket since.

        Nobody is lent it meanwhile; where it is missed, or where this fails, the files are read.
        """
        kept = self._kept.pop(_place(portion), None)
        if kept is not None:
            kept[1].settle()
            self._kept[_place(portion)] = kept

    def forget(self) -> None:
        """Drops everything, as the end of the process does."""
        self._kept.clear()
        self._lent.clear()

    def _as_kept(self, portion: Portion) -> Recent | None:
        if portion.window is None:
            return None
        boundary_s, recent = self._kept.pop(_place(portion), (None, None))
        return recent if boundary_s == portion.window.begin_s else None


_MEMORIES: dict[Output, BucketMemory] = {}


def _place(portion: Portion) -> _Place:
    return portion.window.stream if portion.window else portion.input, portion.bucket
