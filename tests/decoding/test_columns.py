"""Columns against the slow way, one event and one field at a time."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import LISTED
from schemas.registry import EVENT_DATASETS, event_schemas, load
from transforms.core.carried import USER
from transforms.core.decoding.columns import WireArrays, members_of, raw_columns, sources_of
from transforms.core.decoding.convert import convert
from transforms.core.decoding.envelopes import decode_event, exception_facts
from transforms.core.decoding.wire import Envelope, attribute

TEXTS = st.sampled_from(["", "a", "7", "7.5", "true", "2026-03-29T10:15:33Z", "x" * 9000, "\u00e9"])
NUMBERS = st.sampled_from([0.0, 1.0, 7.5, -1.0, 2.0**31, 1e300])


def wire_names(dataset: str, group: str) -> list[str]:
    found = [s.partition("=>")[0] for f in event_schemas()[dataset].fields for s in f.sources]
    return sorted({s.partition(".")[2] for s in found if s.startswith(f"{group}.")})


@st.composite
def events_of(draw: st.DrawFn, dataset: str) -> list[Envelope]:
    """Events with any of the members that the dataset reads."""

    def some(group: str, values: st.SearchStrategy[Any]) -> dict[str, Any]:
        names = wire_names(dataset, group)
        chosen = draw(st.lists(st.sampled_from(names), max_size=6, unique=True)) if names else []
        return {name: draw(values) for name in chosen}

    events = []
    for _ in range(draw(st.integers(1, 4))):
        base = {"name": "x", "properties": some("properties", TEXTS), "measurements": some("measurements", NUMBERS)}
        if draw(st.booleans()):
            base["exceptions"] = [{"typeName": draw(TEXTS), "message": draw(TEXTS)}]
        document = {"data": {"baseData": base}, "tags": some("tags", TEXTS), "sampleRate": draw(st.none() | NUMBERS)}
        document["time"] = draw(st.none() | TEXTS)
        events.append(decode_event(json.dumps(document).encode()))
    return events


def slow_value(event: Envelope, source: str) -> Any:
    """A member of one event: the struct that holds it is found by its group's name; empty text is no value."""
    place, _, constant = source.partition("=>")
    group, name = attribute(place)
    if group == "exception":
        owner: Any = exception_facts(event)
    elif group in ("properties", "measurements"):
        owner = getattr(event.data.baseData, group)
    else:
        owner = event.tags if group == "tags" else event
    value = getattr(owner, name, None)
    if value in (None, ""):
        return None
    return constant or value


@pytest.mark.parametrize("dataset", EVENT_DATASETS)
@given(st.data())
@settings(max_examples=15)
def test_each_field_is_the_first_of_its_sources_that_has_a_value(dataset: str, data: st.DataObject) -> None:
    schema, events = event_schemas()[dataset], data.draw(events_of(dataset))
    arrays = WireArrays(dataset)
    for event in events:  # absorbed one by one: parts of nulls and values alternate
        arrays.absorb([event])
    columns, wrong = raw_columns(schema, arrays, len(events))
    assert set(columns) == set(sources_of(dataset))
    for name, column in columns.items():
        field = load("event").field("user_id") if name == USER else schema.field(name)
        sources = [s for s in field.sources if not s.startswith("collector.")]
        for row, event in enumerate(events):
            given_values = [v for s in sources if (v := slow_value(event, s)) is not None]
            value = given_values[0] if given_values else None
            if field.parse == LISTED and value is not None:
                assert [v for v in column[row].as_py().split(";") if v] == given_values
                continue
            numbers = all(isinstance(v, float) for v in given_values)
            kinds = {type(v) for e in events for s in sources if (v := slow_value(e, s)) is not None}
            if (value is not None and not numbers) or len(kinds) > 1:
                value = None if value is None else pa.scalar(value).cast(pa.string()).as_py()
            expected = convert(field, pa.array([value]))[0].as_py() if value is not None else None
            assert repr(column[row].as_py()) == repr(expected), (name, given_values)
            if value is not None and expected is None:
                assert wrong.rows[row]
                assert wrong.of(row) in schema.fields


@pytest.mark.parametrize("dataset", EVENT_DATASETS)
@given(st.data())
@settings(max_examples=10)
def test_absorbing_in_other_parts_changes_nothing(dataset: str, data: st.DataObject) -> None:
    events = data.draw(events_of(dataset))
    cut = data.draw(st.integers(0, len(events)))
    found = []
    for parts in ([events], [events[:cut], events[cut:]]):
        arrays = WireArrays(dataset)
        for part in filter(None, parts):
            arrays.absorb(part)
        columns, wrong = raw_columns(event_schemas()[dataset], arrays, len(events))
        found.append(({name: column.to_pylist() for name, column in columns.items()}, wrong.rows.tolist()))
    assert repr(found[0]) == repr(found[1])


@pytest.mark.parametrize("dataset", EVENT_DATASETS)
def test_nothing_is_read_that_no_schema_names(dataset: str) -> None:
    fields = [*event_schemas()[dataset].fields, load("event").field("user_id")]
    named = {attribute(s.partition("=>")[0]) for f in fields for s in f.sources}
    read = {(group, name) for group, names in members_of(dataset).items() for name in names}
    assert read == {(group, name) for group, name in named if group != "collector"}
