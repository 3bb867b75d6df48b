"""The owner of what buckets remember.

A bucket's memory is lent for a portion, given back when the portion's files are
written, and kept for the next window. The steps after the shuffle share one owner
in each process. A value that passes between them has the number of its loan, never
the memory itself: so values stay frozen, and a memory that a failed try has half
changed is never used again.
"""

from collections.abc import Mapping
from datetime import date
from itertools import count
from typing import NamedTuple

import pyarrow as pa

from schemas.errors import PipelineError
from transforms.core.output.landing import Landing
from transforms.core.output.layout import Listing, Output
from transforms.core.output.published import PublishedRows
from transforms.core.recent.recent import Recent
from transforms.core.shuffle.windows import Portion

_Place = tuple[str, int, int]


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

    def lend(self, portion: Portion, listing: Listing, landing: Landing) -> Recent:
        """The memory of a portion's bucket: as the window before left it, else a new one that reads the listed files.

        Raises StorageUnavailable. An earlier loan of the same bucket that was not given back ends: its try has failed.
        """
        published = PublishedRows(listing, portion, landing)
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
        """The memory that was lent under that number; raises PipelineError where the loan is over.

        After a failure a runner may go on with the old try in one thread and begin another in a second one.
        """
        recent = self._lent.get(_place(portion))
        if recent is None or recent.loan != loan:
            raise PipelineError(
                "another try of this portion has begun; this one ends, and its files are written by the other"
            )
        return recent

    def give_back(self, portion: Portion, loan: int, published: Published | None) -> None:
        """Ends a loan, and keeps what the next window needs; to be called once every file of the portion is written.

        `published` is None where the files were there already: then nothing is kept. Raises PipelineError where the
        loan is over.
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
        """Does the work that a published portion has put off, unless its bucket was lent again since.

        It is not among what is kept while that goes on: where the work fails, the next window reads the files.
        """
        kept = self._kept.pop(_place(portion), None)
        if kept is not None:
            kept[1].settle()
            self._kept[_place(portion)] = kept

    def forget(self) -> None:
        """Forgets everything, as the end of the process does."""
        self._kept.clear()
        self._lent.clear()

    def _as_kept(self, portion: Portion) -> Recent | None:
        if portion.window is None:
            return None
        boundary_s, recent = self._kept.pop(_place(portion), (None, None))
        return recent if boundary_s == portion.window.begin_s else None


_MEMORIES: dict[Output, BucketMemory] = {}


def _place(portion: Portion) -> _Place:
    return portion.window.stream if portion.window else portion.input, portion.bucket, portion.buckets
