"""The closing rule: which facts make one life of a suggestion, and when that life is over.

The rule looks at receive times only, so it does not matter how the input was
cut into runs or windows. A life is over when no fact came for the horizon, or when
it has lasted for the lookback. It is published by the run whose clock (the latest
receive time it has seen) has passed the life's end. For one lookback after its end
the suggestion is remembered, and a fact that comes then is late; a fact that comes
after that begins another life.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

HORIZON, LOOKBACK, END_OF_INPUT = "horizon", "lookback", "end_of_input"
"""Values of the column `closed_by`."""

PublishedSpans = Mapping[int, Sequence[tuple[int, int]]]
"""Suggestion -> first fact and end, in microseconds since 1970, of each of its lives that others published."""


@dataclass(frozen=True)
class ClosingRule:
    """Horizon and lookback in microseconds, the clock in microseconds since 1970.

    With `close_open` a life that is not over yet ends at the clock.
    """

    horizon_us: int
    lookback_us: int
    clock_us: int
    close_open: bool

    def end_us(self, first_us: int, last_us: int) -> int:
        """When a life with this first and this last fact is over, if nothing else comes."""
        return min(last_us + self.horizon_us, first_us + self.lookback_us)


class Lives(NamedTuple):
    """The lives to be published, and what became of each fact. Times are microseconds since 1970.

    For each fact: `of_fact` is the number of its life, -1 where that is not
    published now, because it is still open, was published before, or because the
    fact is late. `open_until_us` is the end of its life where the life is still
    open, else -1. `is_late` says whether the fact came after its suggestion's
    life was over; it may be a fact of an earlier input.

    For each life: its suggestion, first and last fact, when and by what it closed.
    """

    of_fact: np.ndarray
    open_until_us: np.ndarray
    is_late: np.ndarray
    suggestion: np.ndarray
    first_us: np.ndarray
    last_us: np.ndarray
    closed_at_us: np.ndarray
    closed_by: list[str]


class _Life(NamedTuple):
    suggestion: int
    facts: np.ndarray
    first_us: int
    last_us: int


def find_lives(suggestions: np.ndarray, times_us: np.ndarray, published: PublishedSpans, rule: ClosingRule) -> Lives:
    """The lives of facts in any order: for each fact the small number of its suggestion, and its receive time."""
    order = np.lexsort((times_us, suggestions))
    of_fact = np.full(len(order), -1, dtype=np.int64)
    open_until_us = np.full(len(order), -1, dtype=np.int64)
    is_late = np.zeros(len(order), dtype=bool)
    found: list[tuple[int, int, int, int]] = []
    for life in _all_lives(suggestions[order], times_us[order], order, published, rule, is_late):
        end_us = rule.end_us(life.first_us, life.last_us)
        # The end must lie before the clock: a fact that is received at the end itself still belongs to the life.
        if end_us < rule.clock_us or rule.close_open:
            of_fact[life.facts] = len(found)
            found.append((life.suggestion, life.first_us, life.last_us, end_us))
        else:
            open_until_us[life.facts] = end_us
    suggestion, first_us, last_us, ends_us = np.array(found, dtype=np.int64).reshape(-1, 4).T
    is_cut_short = ends_us >= rule.clock_us
    is_by_lookback = ends_us < last_us + rule.horizon_us
    closed_by = np.where(is_cut_short, END_OF_INPUT, np.where(is_by_lookback, LOOKBACK, HORIZON)).tolist()
    closed_at_us = np.minimum(ends_us, rule.clock_us)
    return Lives(of_fact, open_until_us, is_late, suggestion, first_us, last_us, closed_at_us, closed_by)


def _all_lives(
    codes: np.ndarray,
    times_us: np.ndarray,
    rows: np.ndarray,
    published: PublishedSpans,
    rule: ClosingRule,
    is_late: np.ndarray,
) -> Iterator[_Life]:
    """The lives of facts that are sorted by suggestion and time; marks late facts in `is_late`."""
    if not len(codes):
        return
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    ends = np.r_[starts[1:], len(codes)]
    # Nearly every suggestion is one life without a gap. Those are found for all suggestions at once; only the
    # others are walked through fact by fact in Python.
    gaps_us = np.diff(times_us, prepend=times_us[:1])
    gaps_us[starts] = 0
    widest_us = np.maximum.reduceat(gaps_us, starts)
    is_one = (widest_us <= rule.horizon_us) & (times_us[ends - 1] - times_us[starts] <= rule.lookback_us)
    for start, end, is_one_life in zip(starts.tolist(), ends.tolist(), is_one.tolist(), strict=True):
        code = int(codes[start])
        if is_one_life and code not in published:
            yield _Life(code, rows[start:end], int(times_us[start]), int(times_us[end - 1]))
        else:
            yield from _walk(code, times_us[start:end], rows[start:end], published.get(code, ()), rule, is_late)


def _walk(
    code: int,
    times_us: np.ndarray,
    rows: np.ndarray,
    published: Sequence[tuple[int, int]],
    rule: ClosingRule,
    is_late: np.ndarray,
) -> Iterator[_Life]:
    """The lives of one suggestion's facts, sorted by time, beside those of it that were published before."""
    begun = None
    for position, time_us in enumerate(times_us.tolist()):
        # A published life owns its facts, which are read back with the others, and everything that comes while
        # it is remembered. It owns the horizon before its first fact, too: what turns up there would have been
        # part of it.
        owners_us = [
            end_us
            for first_us, end_us in published
            if first_us - rule.horizon_us <= time_us <= end_us + rule.lookback_us
        ]
        if owners_us:
            # Late only if that life is over; one that the end of an input cut short may end at the clock itself.
            is_late[rows[position]] = min(owners_us) < rule.clock_us
            continue
        if begun is not None:
            facts, first_us, last_us = begun
            end_us = rule.end_us(first_us, last_us)
            if time_us <= end_us:
                begun = ([*facts, rows[position]], first_us, time_us)
                continue
            if time_us <= end_us + rule.lookback_us:
                is_late[rows[position]] = True
                continue
            yield _Life(code, np.array(facts), first_us, last_us)
        begun = ([rows[position]], time_us, time_us)
    if begun is not None:
        yield _Life(code, np.array(begun[0]), begun[1], begun[2])
