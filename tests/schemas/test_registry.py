"""The contract says what it must, and nothing weaker than it must."""

import json

import pytest

from schemas.dictionary import DATASETS
from schemas.errors import IncompatibleSchema
from schemas.registry import (
    EVENT_DATASETS,
    LEVELS,
    contract_digest,
    event_schemas,
    load,
    parse_field,
    parse_schema,
    raw_schemas,
)


@pytest.mark.parametrize("dataset", EVENT_DATASETS)
def test_required_fields_are_permitted_wherever_the_event_is(dataset: str) -> None:
    schema = load(dataset)
    for field in schema.fields:
        if field.required:
            assert LEVELS.index(field.level) <= LEVELS.index(schema.level), field.name


@pytest.mark.parametrize("dataset", EVENT_DATASETS)
def test_code_is_encrypted_and_stands_last(dataset: str) -> None:
    fields = load(dataset).fields
    code = [f for f in fields if f.classification == "CustomerContent"]
    assert all(f.role and f.level == "snippet" and f.is_scrubbed for f in code)
    assert tuple(code) == fields[len(fields) - len(code) :]


def test_identifiers_and_addresses_never_land_as_they_are() -> None:
    for schema in event_schemas().values():
        for field in schema.fields:
            if field.classification == "EndUserPseudonymizedInformation":
                assert field.pseudonym_domain, field.name
            if "collector.client_ip" in field.sources:
                assert field.treatment == "geolocate", field.name
            if field.classification == "CallstackOrException":
                assert field.is_scrubbed or field.shape, field.name


def test_numbers_name_their_unit() -> None:
    for name in EVENT_DATASETS:
        for field in load(name).fields:
            if str(field.type) in ("int32", "int64", "double") and field.name != "schema_version":
                assert field.unit, f"{name}.{field.name}"


def test_arrow_schema_names_its_contract_and_repeats_nothing_of_it() -> None:
    schema = load("displays").arrow
    assert schema.metadata == {
        b"dataset": b"displays", b"schema_version": b"1", b"contract": contract_digest().encode(),
    }  # fmt: skip
    assert not any(field.metadata for field in schema)


@pytest.mark.parametrize(
    "change",
    [{"treatment": "publish"}, {"level": "some"}, {"purpos": "x"}, {"type": "uuid"}],
    ids=["treatment", "level", "attribute", "type"],
)
def test_words_outside_the_contracts_language_are_refused(change: dict) -> None:
    field = json.loads(json.dumps(raw_schemas()["displays.1"]["fields"][0])) | change
    with pytest.raises(IncompatibleSchema, match=r"displays\.choice_index|uuid"):
        parse_field(field, "displays")


@pytest.mark.parametrize(
    "change",
    [
        {"shape": None},
        {"shape": "anything"},
        {"shape": "known:nothing"},
        {"shape": "known:../avro/event.1"},
        {"shape": ""},
    ],
    ids=["none", "unknown pattern", "unknown list", "path", "empty"],
)
def test_a_kept_text_without_a_shape_is_refused(change: dict) -> None:
    field = {k: v for k, v in {**raw_schemas()["displays.1"]["fields"][1], **change}.items() if v is not None}
    with pytest.raises(IncompatibleSchema, match=r"display_source|known:"):
        parse_field(field, "displays")


def test_a_kept_map_of_texts_without_a_shape_is_refused() -> None:
    (field,) = (f for f in raw_schemas()["extension_events.1"]["fields"] if f["name"] == "properties")
    parse_field(field, "extension_events")
    with pytest.raises(IncompatibleSchema, match="declares its shape"):
        parse_field({k: v for k, v in field.items() if k != "shape"}, "extension_events")


@pytest.mark.parametrize(
    "route", ["auth.*", {"name": "auth.*", "suffix": "anything"}, {"name": "auth", "suffix": "status"}]
)
def test_a_route_ends_in_a_pattern_or_is_a_whole_name(route: object) -> None:
    raw = {**raw_schemas()["displays.1"], "events": [route]}
    with pytest.raises(IncompatibleSchema, match="suffix"):
        parse_schema(raw)


def test_free_text_stands_in_few_columns_alone() -> None:
    scrubbed = {(n, f.name) for n in DATASETS for f in load(n).fields if f.treatment == "scrub"}
    assert scrubbed == {("errors", "message"), ("errors", "stack"), ("extension_events", "properties")}
