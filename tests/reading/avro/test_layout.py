"""Which schemas of writers are read: those that say what ours says, in any order and with more; told before a record is."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import raw_schemas
from transforms.core.reading.avro.layout import FIELDS, ForeignSchema, layout

OURS: dict[str, Any] = json.loads(json.dumps(raw_schemas()["raw_request.1"]))


def changed(**more: Any) -> dict[str, Any]:
    return {**copy.deepcopy(OURS), **more}


def read(schema: Any) -> Any:
    return layout(json.dumps(schema).encode())


def slots(schema: Any) -> list[int]:
    """Where the values that are kept go, in the order in which they are read."""
    return [step.slot for step in read(schema) if step.slot is not None]


def test_our_own_is_read_in_its_order() -> None:
    assert slots(OURS) == list(range(FIELDS))


@given(st.permutations(OURS["fields"]))
def test_any_order_of_fields_is_read(fields: list[dict[str, Any]]) -> None:
    names = [field["name"] for field in OURS["fields"]]
    assert slots(changed(fields=fields)) == [names.index(field["name"]) for field in fields]


@given(
    st.sampled_from(["null", "boolean", "int", "long", "float", "double", "bytes", "string",
                     {"type": "array", "items": "string"}, {"type": "map", "values": "long"}, ["null", "int"]]),
    st.integers(0, len(OURS["fields"])),
)  # fmt: skip
def test_a_field_that_is_none_of_ours_is_passed_over(kind: Any, place: int) -> None:
    fields = copy.deepcopy(OURS["fields"])
    fields.insert(place, {"name": "more", "type": kind})
    assert slots(changed(fields=fields)) == list(range(FIELDS))


@pytest.mark.parametrize("name", [f["name"] for f in OURS["fields"] if f["name"] in ("body", "received_at")])
def test_a_schema_without_what_a_request_must_have_is_foreign(name: str) -> None:
    with pytest.raises(ForeignSchema):
        read(changed(fields=[f for f in OURS["fields"] if f["name"] != name]))


@pytest.mark.parametrize(
    "schema",
    [None, 1, "string", [], {}, {"type": "record"}, {"type": "array", "items": "bytes"}, {"type": "fixed"}],
    ids=str,
)
def test_what_is_no_record_is_foreign(schema: Any) -> None:
    with pytest.raises(ForeignSchema):
        read(schema)


@pytest.mark.parametrize("field", [f["name"] for f in OURS["fields"]])
def test_a_field_of_another_kind_is_foreign(field: str) -> None:
    fields = [{**f, "type": {"type": "map", "values": "double"}} if f["name"] == field else f for f in OURS["fields"]]
    with pytest.raises(ForeignSchema):
        read(changed(fields=fields))


def test_text_that_is_no_json_is_foreign() -> None:
    for text in (b"", b"{", b"\xff", b"[" * 100_000):
        with pytest.raises(ForeignSchema):
            layout(text)
