"""The tolerant reader against the strict one: the same where that reads, and refusals that name a place and no value."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidEvent, MalformedPayload, RejectedEvent
from tests.conftest import DATA
from transforms.core.consent import lowest
from transforms.core.decoding.tolerant import tolerant_event
from transforms.core.decoding.wire import Envelope, EnvelopeReader

TEXTS = [path.read_text() for path in sorted((DATA / "samples").glob("*/pass/*.json"))]
SAMPLES = [document for text in TEXTS if '_02"' not in text and "data" in (document := json.loads(text))]
"""What the strict reader reads: it joins no parts of values, and knows no envelope without `data`."""
STRICT = EnvelopeReader()
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
VALUES |= st.lists(st.integers(), max_size=2) | st.dictionaries(
    st.sampled_from(["a", "typeName"]), st.integers(), max_size=1
)
PLACES = [
    ("name",), ("time",), ("tags",), ("sampleRate",), ("popSample",), ("collector",), ("data",), ("data", "baseType"),
    ("data", "baseData"), ("data", "baseData", "name"), ("data", "baseData", "properties"),
    ("data", "baseData", "measurements"), ("data", "baseData", "exceptions"), ("data", "baseData", "severityLevel"),
    ("data", "baseData", "properties", "languageId"), ("data", "baseData", "measurements", "timeout"),
    ("tags", "ai.user.id"), ("collector", "telemetry_level"), ("collector", "received_at"), ("collector", "snippet_consent"),
]  # fmt: skip


def changed(document: dict[str, Any], place: tuple[str, ...], value: Any) -> dict[str, Any]:
    copy: Any = json.loads(json.dumps(document))
    owner = copy
    for name in place[:-1]:
        owner = owner.setdefault(name, {})
    owner[place[-1]] = value
    return dict(copy)


def strictly(line: bytes) -> Envelope | None:
    STRICT.stamps.clear()
    try:
        event = STRICT.decode(line)
    except msgspec.DecodeError:
        return None
    if len(STRICT.stamps) > 1:
        event.collector = lowest(STRICT.stamps)
    return event


def as_plain(event: Envelope) -> Any:
    """An event as built-in values; structs without members are as good as none; severity lands as text."""
    plain = msgspec.to_builtins(event)
    base = plain["data"]["baseData"]
    if base["severityLevel"] is not None:
        base["severityLevel"] = str(base["severityLevel"])
    return plain


@pytest.mark.parametrize("document", SAMPLES, ids=lambda d: str(d["data"]["baseData"].get("name") or d.get("name")))
def test_each_sample_is_read_as_the_strict_reader_does(document: dict[str, Any]) -> None:
    line = json.dumps(document).encode()
    strict = strictly(line)
    assert strict is not None
    assert as_plain(tolerant_event(line, is_stamped=False)) == as_plain(strict)


def read(line: bytes, *, is_stamped: bool = False) -> Envelope | RejectedEvent:
    """The event, or why it is refused."""
    try:
        return tolerant_event(line, is_stamped=is_stamped)
    except (InvalidEvent, MalformedPayload) as refused:
        return refused


@given(st.sampled_from(SAMPLES), st.sampled_from(PLACES), VALUES)
def test_where_the_strict_reader_reads_the_tolerant_one_agrees(
    document: dict[str, Any], place: tuple[str, ...], value: Any
) -> None:
    line = json.dumps(changed(document, place, value)).encode()
    strict, tolerant = strictly(line), read(line)
    if isinstance(tolerant, RejectedEvent):
        assert strict is None
        assert tolerant.field
        assert tolerant.expected
    elif strict is not None:
        assert as_plain(tolerant) == as_plain(strict)


@given(st.sampled_from(SAMPLES), st.sampled_from(PLACES), VALUES)
def test_a_request_with_a_stamp_does_not_ask_for_the_lines_own(
    document: dict[str, Any], place: tuple[str, ...], value: Any
) -> None:
    found = read(json.dumps(changed(document, place, value)).encode(), is_stamped=True)
    if isinstance(found, RejectedEvent):
        assert not (found.field or "").startswith("collector")
    else:
        assert found.collector is None


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_a_refusal_names_the_place_and_not_the_value(place: tuple[str, ...]) -> None:
    for value in ("zofia", ["zofia"], {"zofia": "zofia"}, [{"zofia": ["zofia"]}], 10**400):
        for document in SAMPLES[:3]:
            found = read(json.dumps(changed(document, place, value)).encode())
            if isinstance(found, RejectedEvent):
                assert "zofia" not in f"{found} {found.field} {found.expected}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(7, 7.0), ("7", 7.0), ("-1.5e3", -1500.0), ("", None), (None, None), (True, 1.0), (False, 0.0)],
)
def test_a_flag_may_be_a_number_a_text_or_a_boolean(value: Any, expected: float | None) -> None:
    from transforms.core.decoding.tolerant import _FLAGS, _measurements

    for name in sorted(_FLAGS & {"isStillInCode", "isMultiline", *_FLAGS}):
        if "." not in name:
            assert _measurements({name: value}) in ({name: expected}, {})


@pytest.mark.parametrize(
    "text", ["0x10", "1_000", "inf", "nan", "1e999", "\u0667", " 7", "7 ", "1" * 31, "--1", "+1", ".5", "5."]
)
def test_text_that_is_no_plain_number_is_refused(text: str) -> None:
    line = json.dumps({"data": {"baseData": {"name": "a", "measurements": {"timeout": text}}}}).encode()
    with pytest.raises(InvalidEvent) as refused:
        tolerant_event(line, is_stamped=False)
    assert (refused.value.field, refused.value.expected) == ("data.baseData.measurements.timeout", "number")
