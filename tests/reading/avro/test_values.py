"""Avro's values against fastavro: what it writes is read to the byte; other bytes are Broken, never another error."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.reading.avro import values
from transforms.core.reading.avro.layout import ForeignSchema, layout
from transforms.core.reading.avro.values import INVALID, Broken, Read


def written(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


LONGS = st.integers(-(2**63), 2**63 - 1)
TYPES: dict[str, tuple[Any, Read, st.SearchStrategy[Any]]] = {
    "long": ("long", values.read_long, LONGS),
    "int": ("int", values.read_long, st.integers(-(2**31), 2**31 - 1)),
    "boolean": ("boolean", values.read_boolean, st.booleans()),
    "bytes": ("bytes", values.read_bytes, st.binary(max_size=300)),
    "string": ("string", values.read_text, st.text(max_size=100)),
    "union": (["null", "long", "string"], values.union([values.no_value, values.read_long, values.read_text]),
              st.none() | LONGS | st.text(max_size=9)),
}  # fmt: skip
SKIPPED: dict[str, tuple[Any, Read, st.SearchStrategy[Any]]] = {
    "double": ("double", values.fixed(8), st.floats()),
    "array": ({"type": "array", "items": "long"}, values.blocks(values.read_long), st.lists(LONGS, max_size=9)),
    "map": ({"type": "map", "values": "string"}, values.blocks(values.sequence([values.read_bytes, values.read_text])),
            st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5)),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
@given(st.data(), st.binary(max_size=5), st.binary(max_size=5))
def test_what_fastavro_writes_is_read_to_its_last_byte(
    name: str, data: st.DataObject, before: bytes, after: bytes
) -> None:
    schema, read, given_values = TYPES[name]
    value = data.draw(given_values)
    packed = written(schema, value)
    assert read(before + packed + after, len(before)) == (value, len(before + packed))
    for cut in range(len(packed)):
        with pytest.raises(Broken):
            read(packed[:cut], 0)


@pytest.mark.parametrize("name", SKIPPED)
@given(st.data(), st.binary(max_size=5))
def test_what_is_not_ours_is_passed_over_to_its_last_byte(name: str, data: st.DataObject, after: bytes) -> None:
    schema, skip, given_values = SKIPPED[name]
    packed = written(schema, data.draw(given_values))
    assert skip(packed + after, 0) == (None, len(packed))


@pytest.mark.parametrize("name", [*TYPES, *SKIPPED])
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_broken(name: str, data: bytes) -> None:
    read = {**TYPES, **SKIPPED}[name][1]
    try:
        _, at = read(data, 0)
    except Broken:
        return
    assert 0 <= at <= len(data)


def test_a_number_of_more_than_ten_bytes_is_broken() -> None:
    assert values.read_long(b"\xff" * 9 + b"\x01", 0) == (-(2**63), 10)
    for data in (b"\xff" * 10, b"\xff" * 11, b"\x80" * 20 + b"\x01"):
        with pytest.raises(Broken):
            values.read_long(data, 0)


@given(LONGS, st.sampled_from([1, 1000, -1000]))
def test_times_are_those_of_the_calendar_or_invalid(number: int, ticks: int) -> None:
    packed = written("long", number)
    found, at = values.timestamp(ticks)(packed, 0)
    micros = number * ticks if ticks > 0 else number // -ticks
    try:
        expected: Any = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).isoformat()
    except OverflowError:
        expected = INVALID
    assert (found, at) == (expected, len(packed))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["record", "raw_request", "null", "string", "array", "fixed"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "name", "fields", "items", "values", "size"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_a_layout_or_foreign(schema: Any) -> None:
    import json

    for text in (json.dumps(schema), json.dumps({"type": "record", "name": "raw_request", "fields": schema})):
        with pytest.raises(ForeignSchema):
            layout(text.encode())
