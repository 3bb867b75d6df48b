"""What is made of noised counts: nothing below 0, parts that add up, errors as large as they are said to be."""

import math
import statistics
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.rates.kinds import AGENT_EDIT, ANY, GHOST_TEXT, INLINE_CHAT
from pipelines.releasing.bounds import STREAMS
from pipelines.releasing.estimates import COUNTS_WITH_ERRORS, RATIOS, SUMS, Estimate, errors, figures, split
from pipelines.releasing.mechanism import noised
from schemas.registry import load

PARTS = {part.name for stream in STREAMS for measure in stream.measures for part in measure.parts}


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=8))
def test_parts_are_not_negative_and_their_sum_stays(drawn: list[float]) -> None:
    made = split(drawn)
    assert min(made) >= 0
    assert sum(made) == pytest.approx(max(sum(drawn), 0), abs=1e-3)
    if min(drawn) >= 0:
        assert made == pytest.approx(drawn, abs=1e-3)
    order = sorted(range(len(drawn)), key=drawn.__getitem__)
    assert all(made[a] <= made[b] + 1e-9 for a, b in pairwise(order))


def test_sums_and_rates_are_made_of_parts_that_are_drawn() -> None:
    assert {name for names in SUMS.values() for name in names} <= PARTS
    assert {name for ratio in RATIOS.values() for name in (*ratio.above, *ratio.below)} <= PARTS
    columns = {*load("acceptance").arrow.names}
    assert {f"{name}_se" for name in (*COUNTS_WITH_ERRORS, *RATIOS)} == {n for n in columns if n.endswith("_se")}
    assert {*RATIOS} <= columns


GHOST = {name: Estimate(value, 100.0) for name, value in [
    ("accepted_full", 2000), ("accepted_partial", 500), ("rejected", 3000), ("dismissed", 500), ("typed_over", 1000),
    ("ignored", 3000), ("opportunities", 20000)]}  # fmt: skip


def test_counts_of_ghost_text_are_sums_of_its_parts_and_what_is_not_drawn_is_null() -> None:
    found = figures(GHOST_TEXT, GHOST)
    assert (found["shown"], found["accepted"], found["decided"], found["no_outcome"]) == (10000, 2500, 6000, 4000)
    assert found["displays"] is None
    assert found["four_gram_observed_30s"] is None
    assert figures(ANY, {"requests_fine": Estimate(7, 1.0), "failed_requests": Estimate(2, 1.0)})["requests"] == 9


def test_no_rate_of_what_was_shown_where_nobody_knows_what_was() -> None:
    parts = {"accepted_full": Estimate(900, 10.0), "rejected": Estimate(100, 10.0), "undecided": Estimate(50, 10.0)}
    for kind in (INLINE_CHAT, AGENT_EDIT):
        told = errors(kind, parts)
        assert told["acceptance_rate_se"] == pytest.approx(10 * math.hypot(0.1, 0.9) / 1000)
        assert told["hide_rate_se"] is told["ignore_rate_se"] is told["shown_rate_se"] is told["shown_se"] is None


def test_a_rate_over_next_to_nothing_is_null() -> None:
    few = {name: part._replace(value=part.value // 10) for name, part in GHOST.items()}
    assert errors(GHOST_TEXT, few)["acceptance_rate_se"] is None  # 1000 shown, and their noise is 245
    assert errors(GHOST_TEXT, GHOST)["acceptance_rate_se"] is not None


def test_the_error_that_is_told_is_the_error_that_there_is() -> None:
    """Each rate over 3,000 draws of the noise, through the same parts."""
    sensitivity, epsilon = 200, 1.0
    spread = math.sqrt(2) * sensitivity / epsilon
    truth = {name: part._replace(deviation=spread) for name, part in GHOST.items()}
    draws = np.array(noised([part.value for part in truth.values()] * 3000, sensitivity, epsilon)).reshape(3000, -1)
    by_name = dict(zip(truth, draws.T, strict=True))
    for rate in ("acceptance_rate", "hide_rate", "ignore_rate", "shown_rate"):
        above, below = (sum(by_name[n] for n in names) for names in (RATIOS[rate].above, RATIOS[rate].below))
        told = errors(GHOST_TEXT, truth)[f"{rate}_se"]
        assert told == pytest.approx(statistics.pstdev((above / below).tolist()), rel=0.1), rate
