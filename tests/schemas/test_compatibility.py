"""Released schema files stay readable and as private as they were.

tests/data/released holds them as they were released; a new version of a file is
copied there when it is.
"""

import copy
import json

import pytest

from schemas.compatibility import check_compatible
from schemas.errors import IncompatibleSchema
from schemas.registry import raw_schemas
from tests.conftest import DATA

RELEASED = {p.stem: json.loads(p.read_text()) for p in sorted((DATA / "released").glob("*.avsc"))}


@pytest.mark.parametrize("name", sorted(raw_schemas()))
def test_schema_file_is_compatible_with_its_release(name: str) -> None:
    check_compatible(RELEASED[name], raw_schemas()[name])


def edited(**changes: object) -> dict:
    schema = copy.deepcopy(RELEASED["displays.1"])
    schema["fields"][0].update(changes)
    return schema


@pytest.mark.parametrize(
    "edit",
    [
        edited(type=["null", "string"]),
        edited(level="crash"),
        edited(unit="chars"),
        edited(name="choice"),
        {**edited(), "delete_after_days": 4000},
        {**edited(), "level": "error"},
        {**edited(), "fields": edited()["fields"][1:]},
        {**edited(), "fields": [*edited()["fields"], {"name": "new", "type": "string"}]},
        {**edited(), "include": None},
    ],
    ids=["type", "field level", "unit", "rename", "retention", "level", "removed", "new and required", "include"],
)
def test_edit_that_hurts_readers_or_users_is_refused(edit: dict) -> None:
    with pytest.raises(IncompatibleSchema, match=r"displays\.1: "):
        check_compatible(RELEASED["displays.1"], edit)


def including(*names: str) -> dict:
    schema = copy.deepcopy(RELEASED["snippets.1"])
    return {**schema, "include_only": [*schema["include_only"], *names]}


def test_more_may_be_included_at_the_end_if_files_before_may_lack_it() -> None:
    check_compatible(RELEASED["snippets.1"], including("country", "slot_code"))
    for wrong in (
        including("nothing"),
        {**including(), "include_only": ["event_id"]},
        {**including(), "include_only": None},
    ):
        with pytest.raises(IncompatibleSchema, match=r"include_only changed|newly included fields must be nullable"):
            check_compatible(RELEASED["snippets.1"], wrong)
    before = {**including(), "include_only": ["event_id"]}
    with pytest.raises(IncompatibleSchema, match="received_at: newly included fields must be nullable"):
        check_compatible(before, {**before, "include_only": ["event_id", "received_at"]})


def test_weaker_treatment_is_refused() -> None:
    weaker = copy.deepcopy(RELEASED["snippets.1"])
    field = next(f for f in weaker["fields"] if f["name"] == "completion_text_json")
    for treatment in ("scrub", "keep", "encrypt:prompts"):
        field["treatment"] = treatment
        with pytest.raises(IncompatibleSchema, match="completion_text_json"):
            check_compatible(RELEASED["snippets.1"], weaker)


def test_a_word_is_as_private_as_scrubbed_text_and_free_text_is_not() -> None:
    def with_reason(treatment: str, **more: str) -> dict:
        schema = copy.deepcopy(RELEASED["errors.1"])
        field = next(f for f in schema["fields"] if f["name"] == "reason")
        field.pop("shape", None)
        field.update({"treatment": treatment, **more})
        return schema

    free, scrubbed, word = with_reason("keep"), with_reason("scrub"), with_reason("keep", shape="known:reasons")
    for before, after in [(free, scrubbed), (free, word), (scrubbed, word), (word, word)]:
        check_compatible(before, after)
    for before, after in [
        (word, scrubbed),
        (word, free),
        (scrubbed, free),
        (word, with_reason("keep", shape="phrase")),
    ]:
        with pytest.raises(IncompatibleSchema, match="reason"):
            check_compatible(before, after)


def test_what_hurts_nobody_is_allowed() -> None:
    better = edited(doc="A better doc.", sources=["properties.choiceIndex", "properties.choice"], treatment="drop")
    better["fields"].append({"name": "new", "type": ["null", "string"], "default": None})
    check_compatible(RELEASED["displays.1"], better)
