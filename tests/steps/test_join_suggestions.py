"""A portion's suggestions as a step gives them, once, and never for a try that is over."""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.errors import PipelineError
from tests.conftest import landing, read_rows
from tests.support.after_shuffle import HORIZON, LOOKBACK, run, sealed
from tests.support.facts import NOON, fact
from transforms.core.curating.curate import Clock, CuratedBucket
from transforms.core.output.layout import Output
from transforms.core.recent.memory import BucketMemory
from transforms.core.shuffle.windows import Portion
from transforms.steps.join_suggestions import JoinSuggestions

FACTS = [fact("displays", 1, 0), fact("outcomes", 2, 5, outcome="accepted", completion_type="full")]
LATER = fact("displays", 9, 7200, suggestion_id="9" * 32)


def test_an_open_suggestion_is_joined_by_the_run_that_sees_its_end(tmp_path: Path) -> None:
    run(tmp_path, [(Portion("0a" * 8, 0), sealed(FACTS[:1])[0])])
    assert read_rows(tmp_path, "suggestions") == []
    run(tmp_path, [(Portion("0b" * 8, 0), sealed([*FACTS[1:], LATER])[0])])
    (row,) = read_rows(tmp_path, "suggestions")
    assert (row["outcome"], row["display_count"], row["closed_by"]) == ("accepted", 1, "horizon")


def test_a_bucket_without_rows_closes_by_the_clock_of_the_input(tmp_path: Path) -> None:
    run(tmp_path, [(Portion("0a" * 8, 1), [])])
    pieces = sealed([LATER], buckets=2)
    _, joined = run(tmp_path, [(Portion("0b" * 8, 1), pieces[1])])
    assert joined[0].clock.closes_to == LATER[1]["received_at"]
    assert joined[0].tables == {}


def test_the_end_of_a_one_off_input_closes_all(tmp_path: Path) -> None:
    run(tmp_path, [(Portion("0a" * 8, 0), sealed(FACTS)[0])], close_open=True)
    (row,) = read_rows(tmp_path, "suggestions")
    assert (row["closed_by"], row["closed_at"]) == ("end_of_input", NOON + timedelta(seconds=5))


def test_a_try_that_is_over_joins_nothing(tmp_path: Path) -> None:
    """A runner may go on with it beside the one that tries again."""
    output, portion = Output(str(tmp_path)), Portion("0a" * 8, 0)
    step = JoinSuggestions(output, HORIZON, LOOKBACK, close_open=False)._do_fn
    step.setup()
    memory = BucketMemory.of(output)
    first = memory.lend(portion, output.listing(), landing()).loan
    second = memory.lend(portion, output.listing(), landing()).loan
    clock = Clock(NOON)
    with pytest.raises(PipelineError, match="another try"):
        list(step.process(CuratedBucket(portion, clock=clock, loan=first)))
    assert len(list(step.process(CuratedBucket(portion, clock=clock, loan=second)))) == 1
