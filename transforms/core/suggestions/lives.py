"""The closing rule: which facts make one life of a suggestion, and when it is over.

All in receive time, so how the input was cut changes nothing. A life is over
when nothing came for the horizon, or when it has lasted for the lookback. It is
published by the run whose clock (the latest receive time it has seen) has
passed its end. For one lookback after its end its suggestion is remembered, and
facts that come are late; after that they begin another life.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

HORIZON, LOOKBACK, END_OF_INPUT = "horizon", "lookback", "end_of_input"
Published = Mapping[int, Sequence[tuple[int, int]]]
"""Suggestion -> (first fact, end) of each life that other inputs published, in microseconds."""


@dataclass(frozen=True)
class ClosingRule:
    """Horizon, lookback and clock in microseconds; with `close_open` what is open ends at the clock."""

    horizon: int
    lookback: int
    clock: int
    close_open: bool

    def end(self, first: int, last: int) -> int:
        """When a life with these facts is over, if nothing else comes."""
        return min(last + self.horizon, first + self.lookback)


class Lives(NamedTuple):
    """Lives to be published, and what became of each fact. Times are microseconds since 1970.

    `of_fact` is a fact's life, -1 where it is in none of these: still open,
    late, or of a life that was published before. `open_until` is the end of its
    life where that is still open, else -1. `is_late` is of facts of any input.
    """

    of_fact: np.ndarray
    open_until: np.ndarray
    is_late: np.ndarray
    suggestion: np.ndarray
    first: np.ndarray
    last: np.ndarray
    closed_at: np.ndarray
    closed_by: list[str]


class _Life(NamedTuple):
    suggestion: int
    facts: np.ndarray
    first: int
    last: int


def find_lives(suggestions: np.ndarray, times: np.ndarray, published: Published, rule: ClosingRule) -> Lives:
    """The lives of facts, each of a suggestion (a small number) and received at a time, in any order."""
    order = np.lexsort((times, suggestions))
    of_fact = np.full(len(order), -1, dtype=np.int64)
    open_until = np.full(len(order), -1, dtype=np.int64)
    is_late = np.zeros(len(order), dtype=bool)
    found: list[tuple[int, int, int, int]] = []
    for life in _all_lives(suggestions[order], times[order], order, published, rule, is_late):
        over_at = rule.end(life.first, life.last)
        if over_at < rule.clock or rule.close_open:
            of_fact[life.facts] = len(found)
            found.append((life.suggestion, life.first, life.last, over_at))
        else:
            open_until[life.facts] = over_at
    suggestion, first, last, end = np.array(found, dtype=np.int64).reshape(-1, 4).T
    open_still = end >= rule.clock
    lookback = end < last + rule.horizon
    closed_by = np.where(open_still, END_OF_INPUT, np.where(lookback, LOOKBACK, HORIZON))
    return Lives(of_fact, open_until, is_late, suggestion, first, last, np.minimum(end, rule.clock), closed_by.tolist())


def _all_lives(
    codes: np.ndarray, times: np.ndarray, rows: np.ndarray, published: Published, rule: ClosingRule, is_late: np.ndarray
) -> Iterator[_Life]:
    """Facts come sorted by suggestion and time; most suggestions are one unbroken life."""
    if not len(codes):
        return
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    ends = np.r_[starts[1:], len(codes)]
    gaps = np.diff(times, prepend=times[:1])
    gaps[starts] = 0
    widest = np.maximum.reduceat(gaps, starts)
    whole = (widest <= rule.horizon) & (times[ends - 1] - times[starts] <= rule.lookback)
    for start, end, is_whole in zip(starts.tolist(), ends.tolist(), whole.tolist(), strict=True):
        code = int(codes[start])
        if is_whole and code not in published:
            yield _Life(code, rows[start:end], int(times[start]), int(times[end - 1]))
        else:
            yield from _chain(code, times[start:end], rows[start:end], published.get(code, ()), rule, is_late)


def _chain(
    code: int,
    times: np.ndarray,
    rows: np.ndarray,
    published: Sequence[tuple[int, int]],
    rule: ClosingRule,
    is_late: np.ndarray,
) -> Iterator[_Life]:
    begun = None
    for position, moment in enumerate(times.tolist()):
        taken = [end for first, end in published if first - rule.horizon <= moment <= end + rule.lookback]
        if taken:
            is_late[rows[position]] = min(taken) < rule.clock
            continue
        if begun is not None:
            facts, first, last = begun
            end = rule.end(first, last)
            if moment <= end:
                begun = ([*facts, rows[position]], first, moment)
                continue
            if moment <= end + rule.lookback:
                is_late[rows[position]] = True
                continue
            yield _Life(code, np.array(facts), first, last)
        begun = ([rows[position]], moment, moment)
    if begun is not None:
        yield _Life(code, np.array(begun[0]), begun[1], begun[2])
