"""The events of a body by what their keys stand for, against a model that parses everything."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.collector import sorting
from pipelines.collector.ingestion_keys import Standing
from pipelines.collector.refusals import Refused
from pipelines.collector.sorting import sort_events
from tests.support.collectors import ERRORS_KEY, ZERO_KEY

KEYS = {ZERO_KEY: Standing("all", True), ERRORS_KEY: Standing("error", False)}


@given(
    st.lists(st.tuples(st.sampled_from([ZERO_KEY, ERRORS_KEY, "other", None]), st.text(max_size=20)), min_size=1),
    st.booleans(),
)
def test_every_event_is_in_one_portion_or_refused(events: list[tuple[str | None, str]], is_array: bool) -> None:
    documents = [json.dumps({"n": n, "iKey": key, "x": text}).encode() for n, (key, text) in enumerate(events)]
    body = b"[" + b",".join(documents) + b"]" if is_array else b"\n".join(documents)
    found = sort_events(body, KEYS)
    numbers = {refusal.number for refusal in found.refusals}
    for portion in found.portions:
        part = portion.body if portion.body is not None else body
        members = json.loads(part) if is_array else [json.loads(line) for line in part.split(b"\n")]
        assert len(members) == portion.events
        for member in members:
            assert KEYS[member["iKey"]] == portion.standing
            assert member["n"] not in numbers
            numbers.add(member["n"])
    assert numbers == set(range(len(events)))
    assert found.events == len(events)


@pytest.mark.parametrize("form", ["lines", "array"])
def test_what_only_the_jobs_can_judge_reaches_them(form: str) -> None:
    events = [b'{"iKey":"%s","x":"\\ud83d"}' % ZERO_KEY.encode(), b'{"iKey":"%s","x":NaN}' % ZERO_KEY.encode()]
    body = b"[" + b",".join(events) + b"]" if form == "array" else b"\n".join(events)
    found = sort_events(body, KEYS)
    assert [(p.standing, p.events, p.body) for p in found.portions] == [(KEYS[ZERO_KEY], 2, None)]


def test_the_key_within_a_text_or_a_member_is_not_the_events_key() -> None:
    inner = json.dumps({"iKey": ZERO_KEY})
    for text in (json.dumps({"x": inner}), json.dumps({"data": {"iKey": ZERO_KEY}}), '{"iKey": 7}', '{"iKey": null}'):
        assert [r.why for r in sort_events(text.encode(), KEYS).refusals] == [sorting.Why.UNKNOWN_KEY]


@pytest.mark.parametrize("form", ["lines", "array"])
def test_the_most_events_and_one_more(form: str) -> None:
    one = b'{"iKey":"%s"}' % ZERO_KEY.encode()
    for count, status in ((20_000, None), (20_001, 413)):
        body = b"[" + b",".join([one] * count) + b"]" if form == "array" else b"\n".join([one] * count)
        if status is None:
            assert sort_events(body, KEYS).events == count
            continue
        with pytest.raises(Refused, match="more than 20000") as refused:
            sort_events(body, KEYS)
        assert refused.value.status == status


@pytest.mark.parametrize("body", [b"", b" ", b"\n\n", b"[]", b"[", b"[1,", b'{"iKey":"x"} {"iKey":"y"}]', b"[{}] {}"])
def test_a_body_without_an_event_or_end_is_refused(body: bytes) -> None:
    try:
        found = sort_events(body, KEYS)
    except Refused as refused:
        assert refused.status == 400  # noqa: PT017
    else:
        assert found.portions == []
        assert len(found.refusals) == found.events


@given(
    st.lists(
        st.sampled_from([ZERO_KEY, ERRORS_KEY, ZERO_KEY.upper(), f" {ZERO_KEY} ", "other", "", None, 7, ["x"]]),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_keys_of_every_type_and_spelling(keys: list[object], end: str) -> None:
    lines = [json.dumps({"iKey": key, "n": number}) for number, key in enumerate(keys)]
    found = sort_events(end.join(lines).encode(), KEYS)
    known = [isinstance(key, str) and key.strip().lower() in KEYS for key in keys]
    assert found.events == len(keys)
    assert {r.number for r in found.refusals} == {n for n, is_known in enumerate(known) if not is_known}
    assert sum(p.events for p in found.portions) == sum(known)


@given(st.binary(max_size=80))
def test_bytes_of_any_kind_are_sorted_or_refused(body: bytes) -> None:
    try:
        found = sort_events(body, KEYS)
    except Refused as refused:
        assert refused.status == 400  # noqa: PT017
    else:
        assert sum(p.events for p in found.portions) + len(found.refusals) == found.events
