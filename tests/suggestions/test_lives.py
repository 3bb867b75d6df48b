"""The closing rule against a model that is slow and obvious, and the law that cuts change nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.suggestions.lives import ClosingRule, find_lives

HORIZON, LOOKBACK = 3, 10
FACTS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=14)
Row = tuple[int, int, int, int, str]


def model(facts: list, clock: int, close_open: bool) -> tuple[list[Row], int]:
    """Lives as (suggestion, first, last, closed_at, closed_by), and how many facts are late."""
    rows, late = [], 0
    for suggestion in {s for s, _ in facts}:
        lives: list[list[int]] = []
        for time in sorted(t for s, t in facts if s == suggestion):
            end = min(lives[-1][-1] + HORIZON, lives[-1][0] + LOOKBACK) if lives else -100
            if time <= end:
                lives[-1].append(time)
            elif time <= end + LOOKBACK:
                late += 1
            else:
                lives.append([time])
        for life in lives:
            end = min(life[-1] + HORIZON, life[0] + LOOKBACK)
            why = "horizon" if end == life[-1] + HORIZON else "lookback"
            if end < clock:
                rows.append((suggestion, life[0], life[-1], end, why))
            elif close_open:
                rows.append((suggestion, life[0], life[-1], clock, "end_of_input"))
    return sorted(rows), late


def run(
    facts: list, clock: int, close_open: bool = False, published: dict | None = None
) -> tuple[list[Row], list, list]:
    suggestions, times = (np.array([f[i] for f in facts], dtype=np.int64) for i in (0, 1))
    lives = find_lives(suggestions, times, published or {}, ClosingRule(HORIZON, LOOKBACK, clock, close_open))
    columns = (c.tolist() for c in (lives.suggestion, lives.first_us, lives.last_us, lives.closed_at_us))
    rows = sorted(zip(*columns, lives.closed_by, strict=True))
    return rows, lives.is_late.tolist(), lives.of_fact.tolist()


@given(FACTS, st.booleans())
def test_lives_are_those_of_the_model(facts: list, close_open: bool) -> None:
    clock = max((t for _, t in facts), default=0)
    rows, late, of_fact = run(facts, clock, close_open)
    assert (rows, sum(late)) == model(facts, clock, close_open)
    assert not any(is_late and life >= 0 for is_late, life in zip(late, of_fact, strict=True))


@given(FACTS, st.randoms())
def test_order_changes_nothing(facts: list, random: object) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert run(shuffled, 50)[0] == run(facts, 50)[0]


@given(FACTS, st.lists(st.integers(1, 40), max_size=6))
def test_cuts_change_nothing(facts: list, cuts: list[int]) -> None:
    """Run after run over the facts received in its span, each knowing what the ones before published."""
    clock = max((t for _, t in facts), default=0)
    published: dict[int, list[tuple[int, int]]] = {}
    rows, late, seen = [], 0, 0
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), 100], strict=True):
        known = [f for f in facts if f[1] < begin]
        own = [f for f in facts if begin <= f[1] < end]
        if not own:
            continue
        found, is_late, _ = run(own + known, max(t for _, t in own), published=published)
        late += sum(is_late[: len(own)])
        seen += len(own)
        rows += found
        for suggestion, first, _, closed_at, _ in found:
            published.setdefault(suggestion, []).append((first, closed_at))
    assert seen == len(facts)
    assert (sorted(rows), late) == model(facts, clock, False)


@given(FACTS, st.integers(0, 60))
def test_every_fact_is_published_open_or_late_and_open_ones_say_until_when(facts: list, clock: int) -> None:
    suggestions, times = (np.array([f[i] for f in facts], dtype=np.int64) for i in (0, 1))
    lives = find_lives(suggestions, times, {}, ClosingRule(HORIZON, LOOKBACK, clock, close_open=False))
    fates = np.stack([lives.of_fact >= 0, lives.open_until_us >= 0, lives.is_late])
    assert (fates.sum(axis=0) == 1).all()
    for (_, time), until in zip(facts, lives.open_until_us.tolist(), strict=True):
        assert until == -1 or (until >= clock and until >= time)


@given(FACTS, st.integers(0, 60), st.integers(1, 20))
def test_what_is_over_stays_over_and_as_it_was(facts: list, clock: int, later: int) -> None:
    """Facts that come once the clock has passed the end of a life change nothing of it."""
    known = [f for f in facts if f[1] <= clock]
    rows, _, _ = run(known, clock)
    assert {*rows} <= {*run(facts, clock + later)[0]}


@given(
    FACTS, st.dictionaries(st.integers(0, 2), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=2))
)
def test_a_published_life_owns_what_comes_near_it(facts: list, spans: dict[int, list[tuple[int, int]]]) -> None:
    """From one horizon before its first fact to one lookback after its end; only what lies outside makes new lives."""
    published = {code: [(first, first + length) for first, length in found] for code, found in spans.items()}

    def is_owned(code: int, time: int) -> bool:
        return any(first - HORIZON <= time <= end + LOOKBACK for first, end in published.get(code, ()))

    rows, late, of_fact = run(facts, 50, published=published)
    free = [fact for fact in facts if not is_owned(*fact)]
    assert (rows, sum(late) - sum(is_owned(*fact) for fact in facts)) == model(free, 50, False)
    assert not any(life >= 0 and is_owned(*fact) for fact, life in zip(facts, of_fact, strict=True))
