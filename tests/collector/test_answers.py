"""Answers to each kind of client, for every share of events that was refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.collector.answers import ONE_COLLECTOR, TRACK, text
from pipelines.collector.ingestion_keys import Standing
from pipelines.collector.sorting import Portion, Refusal, Sorted, Why


def sorted_events(events: int, refused: set[int]) -> Sorted:
    portions = [Portion(Standing("all", True), events - len(refused), None, None)] if events > len(refused) else []
    return Sorted(events, portions, [Refusal(n, Why.NOT_JSON if n % 2 else Why.UNKNOWN_KEY) for n in sorted(refused)])


CASES = st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1))))


@given(CASES)
def test_what_applicationinsights_checks(case: tuple[int, set[int]]) -> None:
    """It sends again by index, and only where received less accepted is the count of errors."""
    events, refused = case
    answer = TRACK.answer(sorted_events(events, refused))
    body = json.loads(bytes(answer.body))
    assert body["itemsReceived"] - body["itemsAccepted"] == len(body["errors"]) == len(refused)
    assert [e["index"] for e in body["errors"]] == sorted(refused)
    assert {e["statusCode"] for e in body["errors"]} <= {400}, "a retriable status would have it sent for ever"
    assert answer.status_code == (200 if not refused else 400 if len(refused) == events else 206)
    assert answer.body, "without a body @vscode/extension-telemetry waits for ever"


@given(CASES)
def test_one_collector_is_never_answered_206(case: tuple[int, set[int]]) -> None:
    events, refused = case
    answer = ONE_COLLECTOR.answer(sorted_events(events, refused))
    body = json.loads(bytes(answer.body))
    assert answer.status_code == (400 if len(refused) == events else 200)
    assert (body["acc"], body.get("rej", 0)) == (events - len(refused), len(refused))


@pytest.mark.parametrize("status", [400, 408, 413, 415, 499, 500, 503])
def test_a_text_is_no_json(status: int) -> None:
    answer = text(status, "send it again later")
    assert (answer.status_code, answer.media_type) == (status, "text/plain")
    with pytest.raises(json.JSONDecodeError):
        json.loads(bytes(answer.body))
