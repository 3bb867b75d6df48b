"""Second reports of an opportunity's end: whose they are, and which of several counts."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.support.facts import NOON, batch_of, fact
from transforms.core.suggestions.endings import Opportunities, ending_columns
from transforms.core.suggestions.facts import Facts
from transforms.core.suggestions.lives import Lives
from transforms.core.suggestions.rows import ATTACHED
from transforms.core.times import micros_of

SECOND_US = 1_000_000
TWIN = {"event_name": "provideInlineEdit", "kind": "ghost_text", "suggestion_id": None}
EDITOR = {"event_name": "inlineCompletion.endOfLife", "kind": None, "suggestion_id": None, "is_shown": True}


def told(*endings: dict[str, Any], kind: str = "ghost_text", **outcome: Any) -> dict[str, Any]:
    """The columns of one life, shown at the opportunities a and then b, that lives from noon on for 100 s."""
    shown = [fact("displays", n, n, opportunity_id=name, kind=kind)[1] for n, name in enumerate("ab")]
    outcomes = [fact("outcomes", 9, 5, opportunity_id="b", kind=kind, outcome="accepted", **outcome)[1]]
    facts = {
        "displays": Facts(batch_of("displays", shown), np.array([0, 0])),
        "outcomes": Facts(batch_of("outcomes", outcomes), np.array([0])),
    }
    none, noon_us = np.array([], dtype=np.int64), micros_of(NOON)
    closed = np.array([noon_us + 100 * SECOND_US])
    lives = Lives(none, none, none, np.array([0]), np.array([noon_us]), closed, closed, ["horizon"])
    rows = [fact("endings", 20 + n, e.pop("second", 5), **e)[1] for n, e in enumerate(map(dict, endings))]
    attached = batch_of("endings", rows).select(list(ATTACHED["endings"]))
    of = Opportunities(facts)
    columns = ending_columns(facts["outcomes"], pa.array([kind]), attached, of, lives, 10 * SECOND_US)
    return {name: values.to_pylist()[0] for name, values in columns.items()}


def test_the_last_twin_counts_as_a_whole() -> None:
    """At the first opportunity the same completion came again at the second: that was not its end."""
    first = {**TWIN, "opportunity_id": "a", "second": 2, "disposal_reason": "LostRace", "superseded_by": "b"}
    last = {**TWIN, "opportunity_id": "b", "second": 6, "disposal_reason": "NotTaken", "is_typed_over": True}
    for order in ((first, last), (last, first)):
        found = told(*order)
        assert (found["disposal_reason"], found["superseded_by"], found["is_typed_over"]) == ("NotTaken", None, True)
    assert told(first)["superseded_by"] == "b"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "NotTaken"),
        ({"opportunity_id": "c"}, None),
        ({"opportunity_id": None}, None),
        ({"kind": "next_edit"}, None),
        ({"kind": None}, "NotTaken"),
        ({"second": 101}, None),
        ({"second": -11}, None),
        ({"second": 100}, "NotTaken"),
    ],
)
def test_a_report_is_of_its_opportunity_kind_and_time(more: dict[str, Any], reason: str | None) -> None:
    assert told({**TWIN, "opportunity_id": "b", "disposal_reason": "NotTaken", **more})["disposal_reason"] == reason


def test_a_next_edit_tells_its_own_end() -> None:
    twin = {**TWIN, "opportunity_id": "b", "disposal_reason": "NotTaken"}
    assert told(twin, kind="next_edit", disposal_reason="Empty")["disposal_reason"] == "Empty"
    assert told(twin, kind="next_edit")["disposal_reason"] is None


def test_the_editor_measures_how_long_it_was_shown() -> None:
    first = {**EDITOR, "opportunity_id": "a", "second": 2, "time_until_shown_ms": 400.0, "shown_ms": 100.0}
    last = {**EDITOR, "opportunity_id": "b", "second": 6, "time_until_shown_ms": 30.0, "shown_ms": 50.0}
    hidden = {**EDITOR, "opportunity_id": "b", "is_shown": False, "time_until_shown_ms": 1.0, "not_shown_reason": "x"}
    found = told(last, hidden, first)
    assert (found["time_until_shown_ms"], found["shown_ms"]) == (400.0, 150.0)
    assert told(hidden)["not_shown_reason"] == "x"
    assert told(hidden)["shown_ms"] is None
