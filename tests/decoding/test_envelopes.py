"""Bodies, split values, exceptions, digests: the facts of the wire and their laws."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidEvent, MalformedPayload
from tests.conftest import sample
from transforms.core.decoding.envelopes import decode_event, event_digest, exception_facts, wire_name
from transforms.core.decoding.event_names import contract_name
from transforms.core.decoding.routing import targets
from transforms.core.decoding.wire import attribute


def split_as_the_client_does(key: str, value: str) -> dict[str, str]:
    parts = [value[at : at + 8192] for at in range(0, len(value), 8192)] or [""]
    return {key if n == 0 else f"{key}_{n + 1:02d}": part for n, part in enumerate(parts)}


def test_19001_characters_arrive_as_three_parts_and_leave_as_one() -> None:
    parts = split_as_the_client_does("promptJson", "x" * 19001)
    assert [len(p) for p in parts.values()] == [8192, 8192, 2617]
    document = sample()
    document["data"]["baseData"]["properties"] |= parts
    event = decode_event(json.dumps(document).encode())
    assert getattr(event.data.baseData.properties, attribute("properties.promptJson")[1]) == "x" * 19001


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"", MalformedPayload),
        (b"{", MalformedPayload),
        (b"\xff\xfe", MalformedPayload),
        (b'{"name": "\xff"}', InvalidEvent),
        (b'{"name": NaN}', MalformedPayload),
        (b"[" * 100_000, MalformedPayload),
        (b'{"x":' * 100_000 + b"1" + b"}" * 100_000, (MalformedPayload, InvalidEvent)),
        (b"7", InvalidEvent),
        (b"[]", InvalidEvent),
        (b"{}", InvalidEvent),
        (b'{"data": {"baseData": []}}', InvalidEvent),
        (b'{"data": {"baseData": {"properties": ["languageId"]}}}', InvalidEvent),
        (b'{"data": {"baseData": {"measurements": {"compCharLen": "seven"}}}}', InvalidEvent),
        (b'{"data": {"baseData": {"measurements": {"compCharLen": true}}}}', InvalidEvent),
        (b'{"data": {"baseData": {"measurements": {"compCharLen": 1e999}}}}', (MalformedPayload, InvalidEvent)),
        (b'{"data": {"baseData": {"properties": {"a": "1", "a_02": "2", "languageId": 7}}}}', InvalidEvent),  # no name
        (b'{"data": {"a_02": 1}}', InvalidEvent),
    ],
)
def test_what_is_no_event_is_refused_by_kind(line: bytes, error: type) -> None:
    with pytest.raises(error):
        wire_name(decode_event(line))


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(line: bytes) -> None:
    try:
        wire_name(decode_event(line))
    except (MalformedPayload, InvalidEvent):
        return


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, JSON, JSON)
def test_any_json_in_any_place_decodes_or_is_refused(properties: object, measurements: object, rest: object) -> None:
    document = {
        "data": {"baseData": {"name": "a", "properties": properties, "measurements": measurements}},
        "tags": rest,
    }
    try:
        wire_name(decode_event(json.dumps(document).encode()))
    except (MalformedPayload, InvalidEvent):
        return


def test_digest_is_of_the_event_and_not_of_the_stamp_or_the_spelling() -> None:
    document = sample()
    first = event_digest(json.dumps(document).encode())
    document["collector"]["received_at"] = "2026-04-01T00:00:00Z"
    assert event_digest(json.dumps(document, sort_keys=True, indent=2).encode()) == first
    document["data"]["baseData"]["properties"]["unheard_of"] = 2**70
    assert event_digest(json.dumps(document).encode()) != first


@pytest.mark.parametrize("name", ["copilot/ghostText.shown", "GitHub.copilot-chat/ghostText.shown", "ghostText.shown"])
def test_prefix_is_taken_off(name: str) -> None:
    document = sample()
    document["data"]["baseData"]["name"] = name
    event = decode_event(json.dumps(document).encode())
    assert wire_name(event) == name
    assert contract_name(wire_name(event)) == "ghostText.shown"
    assert targets("ghostText.shown", event) == ("displays", ())


def test_wrapped_exception_is_unwrapped() -> None:
    inner = {"exceptions": [{"typeName": "TypeError", "message": "boom", "stack": "at x"}]}
    base = {"exceptions": [{"typeName": "Object", "message": json.dumps(inner), "stack": ""}], "severityLevel": "Error"}
    event = decode_event(json.dumps({"data": {"baseType": "ExceptionData", "baseData": base}}).encode())
    facts = exception_facts(event)
    assert (facts.type, facts.message, facts.stack) == ("TypeError", "boom", "at x")


@pytest.mark.parametrize("message", ['{"no": "exception"}', "{not json", '{"exceptions": []}'])
def test_object_that_wraps_no_exception_is_its_own_message(message: str) -> None:
    base = {"exceptions": [{"typeName": "Object", "message": message}]}
    facts = exception_facts(decode_event(json.dumps({"data": {"baseData": base}}).encode()))
    assert (facts.type, facts.message) == ("Object", message)
