"""Fields: each attribute of a schema file has its member; what nobody knows, or of a wrong type, is refused."""

import dataclasses
import json
from typing import Any

import pyarrow as pa
import pytest

from schemas.errors import IncompatibleSchema
from schemas.fields import Field, arrow_type, field_of
from schemas.registry import LEVELS, load, parse_field, parse_schema, raw_schemas
from schemas.routes import parse_route

RAW = [(name, field) for name, schema in raw_schemas().items() for field in schema["fields"]]
PLAIN: dict[str, Any] = {
    "name": "x", "type": ["null", "long"], "default": None, "doc": "d", "classification": "SystemMetaData",
    "purpose": "FeatureInsight", "treatment": "keep", "level": "usage",
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "raw"), [r for r in RAW if "purpose" in r[1]], ids=lambda v: v if isinstance(v, str) else v["name"]
)
def test_every_attribute_of_every_file_is_in_its_member(file: str, raw: dict[str, Any]) -> None:
    field = field_of(raw, file, LEVELS)
    members = {f.name for f in dataclasses.fields(Field)}
    for name, value in raw.items():
        if name == "type":
            assert field.required == (not isinstance(value, list))
        elif name != "default":
            assert name in members
            found = getattr(field, name)
            assert (list(found) if isinstance(found, tuple) else found) == value
    for name in members - set(raw) - {"required"}:
        assert getattr(field, name) in ((), "", None, False), "what the file leaves out is empty"


def test_fields_are_frozen_and_can_be_told_apart() -> None:
    field = field_of(PLAIN, "d", LEVELS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        field.unit = "s"  # type: ignore[misc]
    assert hash(field) == hash(field_of(PLAIN, "d", LEVELS))
    assert field != field_of({**PLAIN, "one_of": ["a"]}, "d", LEVELS)


@pytest.mark.parametrize(
    "change",
    [
        {"sourcs": []}, {"attributes": {}}, {"sources": "properties.a"}, {"sources": [1]}, {"one_of": "a"}, {"one_of": [None]},
        {"scrub": "true"}, {"scrub": 1}, {"unit": 7}, {"parse": "products"}, {"default": 0}, {"level": None}, {"level": "x"},
        {"treatment": "publish"}, {"type": 7}, {"type": ["null", "uuid"]}, {"length_of": ["x"]}, {"shape": None}, {"name": None},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_in_the_contracts_language_is_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(IncompatibleSchema) as refused:
        parse_field({**PLAIN, **change}, "displays")
    assert "displays." in str(refused.value) or "uuid" in str(refused.value)


@pytest.mark.parametrize("name", ["doc", "classification", "purpose", "treatment", "level", "type", "name"])
def test_what_every_field_must_say_is_asked_for(name: str) -> None:
    with pytest.raises(IncompatibleSchema, match=f"missing .*{name}"):
        parse_field({k: v for k, v in PLAIN.items() if k != name}, "displays")


def test_attributes_of_records_and_routes_are_known_too() -> None:
    raw = json.loads(json.dumps(raw_schemas()["displays.1"]))
    with pytest.raises(IncompatibleSchema, match=r"displays: unknown attributes \['retention'\]"):
        parse_schema({**raw, "retention": 7})
    with pytest.raises(IncompatibleSchema, match=r"unknown attributes \['equal'\]"):
        parse_route({"name": "a", "field": "measurements.x", "equal": 1})


def test_kept_texts_are_those_that_must_declare_what_they_may_be() -> None:
    assert not field_of(PLAIN, "d", LEVELS).is_kept_text
    for kind in ("string", ["null", "string"], {"type": "map", "values": "string"}):
        assert field_of({**PLAIN, "type": kind}, "d", LEVELS).is_kept_text
        assert not field_of({**PLAIN, "type": kind, "treatment": "drop"}, "d", LEVELS).is_kept_text
    assert not field_of({**PLAIN, "type": {"type": "map", "values": "long"}}, "d", LEVELS).is_kept_text


def test_arrow_types() -> None:
    assert arrow_type({"type": "long", "logicalType": "timestamp-micros"}) == pa.timestamp("us", "UTC")
    assert arrow_type({"type": "map", "values": {"type": "int", "logicalType": "date"}}) == pa.map_(
        pa.string(), pa.date32()
    )


def test_derived_facts() -> None:
    fields = {f.name: f for f in load("snippets").fields}
    assert (fields["prompt_json"].role, fields["prompt_json"].is_scrubbed) == ("prompts", True)
    assert fields["completion_text_chars"].length_of == "completion_text_json"
    assert load("displays").field("installation_id").pseudonym_domain == "installation"
    assert (load("displays").field("editor").allowed, load("displays").field("editor").role) == ("known:editors", None)
    assert load("suggestions").field("closed_by").allowed == "horizon, lookback, end_of_input"
