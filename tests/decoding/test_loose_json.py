"""Loose JSON: what Python's own reader accepts is read alike; half a character never gets through whole."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MalformedPayload
from transforms.core.decoding.loose_json import read_json, read_members, text_of, whole_text

HALVES = st.text(
    st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF) | st.sampled_from("ax\u00e9\U0001f600"), max_size=6
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | HALVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


def written(value: Any, *, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@given(VALUES, st.booleans())
def test_what_was_written_is_read_again(value: Any, ascii_only: bool) -> None:
    line = written(value, ascii_only=ascii_only)
    assert read_json(line) == json.loads(text_of(line))
    assert read_json(b"\xef\xbb\xbf" + line) == read_json(line)


@given(
    st.binary(max_size=40)
    | st.text(max_size=40).map(str.encode)
    | VALUES.map(lambda v: written(v, ascii_only=True)[:-1])
)
def test_any_bytes_are_read_as_python_does_or_refused(line: bytes) -> None:
    try:
        expected: Any = json.loads(text_of(line), strict=False)
    except ValueError:
        expected = MalformedPayload
    try:
        found: Any = read_json(line)
    except MalformedPayload:
        found = MalformedPayload
    if "NaN" not in repr(expected) and "inf" not in repr(expected).lower():
        assert found == expected
    else:
        assert found is MalformedPayload or math.isfinite(len(repr(found)))


@pytest.mark.parametrize(
    "line",
    [b"NaN", b"[Infinity]", b"-Infinity", b"1e999", b"-1e999", b'{"a": NaN}', b"9" * 5000, b"[" * 100_000, b'{"a":' * 100_000,
     b"", b" ", b"\xef\xbb\xbf", b"{}x", b"{'a': 1}", b"nul", b"\xff\xfe{\x00}\x00"],
)  # fmt: skip
def test_what_is_no_json_of_any_client_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedPayload):
        read_json(line)


def test_refusals_hold_nothing_of_the_line() -> None:
    for line in (b'{"secret": "zofia', b"zofia@example.com", b'{"zofia": NaN}', b'["zofia"] zofia'):
        with pytest.raises(MalformedPayload) as refused:
            read_json(line)
        assert "zofia" not in repr(refused.value.args) + str(refused.value.field) + str(refused.value.expected)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"caf\xc3\xa9", "caf\u00e9"),
        (b"caf\xe9", "caf\ufffd"),
        (b"\xed\xa0\xbd", "\ud83d"),
        (b"\xed\xa0\xbd\xff", "\ufffd\ufffd\ufffd\ufffd"),
        (b"\xef\xbb\xbfa\xef\xbb\xbf", "a\ufeff"),
        (b"\xc0\x80\x00\x1b", "\ufffd\ufffd\x00\x1b"),
    ],
)
def test_bytes_become_text(data: bytes, text: str) -> None:
    assert text_of(data) == text


@given(HALVES | st.text(max_size=8))
def test_whole_text_can_always_be_written_and_changes_nothing_that_was_whole(text: str) -> None:
    whole = whole_text(text)
    whole.encode()
    assert whole_text(whole) == whole
    try:
        text.encode()
    except UnicodeEncodeError:
        assert "\ufffd" in whole or len(whole) < len(text)
    else:
        assert whole == text


@given(st.text(st.sampled_from("a\u00e9\U0001f600\U0010ffff"), max_size=8), st.integers(0, 16))
def test_a_text_that_was_cut_between_utf_16_units_is_whole_when_joined(text: str, cut: int) -> None:
    units = text.encode("utf-16-le")
    parts = (units[: 2 * cut], units[2 * cut :])
    joined = "".join(part.decode("utf-16-le", "surrogatepass") for part in parts)
    assert whole_text(joined) == text


@given(
    st.lists(st.tuples(st.sampled_from(["collector", "data", "x"]), VALUES), max_size=5),
    st.sampled_from(["c", "\\u0063"]),
)
def test_every_value_of_a_repeated_member_is_found_however_its_name_is_written(
    members: list[tuple[str, Any]], first_letter: str
) -> None:
    named = [(f'"{first_letter}ollector"' if name == "collector" else f'"{name}"', value) for name, value in members]
    line = ("{" + ", ".join(f"{name}: {json.dumps(value)}" for name, value in named) + "}").encode()
    value, found = read_members(line, "collector")
    assert value == json.loads(line)
    assert found == [json.loads(json.dumps(v)) for name, v in members if name == "collector"]


@pytest.mark.parametrize("line", [b"[]", b"7", b'"collector"', b'[{"collector": 1, "collector": 2}]', b"null"])
def test_members_of_what_is_no_object_are_none(line: bytes) -> None:
    assert read_members(line, "collector") == (json.loads(line), [])
