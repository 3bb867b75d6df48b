"""Structs of the wire: what no schema names is never read, and every stamp of a line is seen."""

import json
import threading
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import event_schemas
from transforms.core.decoding.wire import EnvelopeReader, attribute, names_of

GROUPS = ("properties", "measurements", "tags")
NAMED = {s.partition("=>")[0] for schema in event_schemas().values() for f in schema.fields for s in f.sources}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_holds_the_names_of_the_contract_and_no_others(group: str) -> None:
    conditions = {route.source for schema in event_schemas().values() for route in schema.events if route.source}
    assert {f"{group}.{name}" for name in names_of(group)} == {
        n for n in NAMED | conditions if n.startswith(f"{group}.")
    }


@given(st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=6), max_size=4))
def test_members_that_no_schema_names_leave_no_trace(members: dict[str, str]) -> None:
    unknown = {name: f"zofia-{value}" for name, value in members.items() if name not in names_of("properties")}
    document = {
        "data": {"baseData": {"name": "a", "properties": unknown, **{f"x{n}": "zofia" for n in unknown}}},
        "zofia": 1,
    }
    assert "zofia" not in repr(msgspec.to_builtins(EnvelopeReader().decode(json.dumps(document).encode())))


@pytest.mark.parametrize("source", sorted(n for n in NAMED if n.partition(".")[0] in GROUPS))
def test_each_source_is_read_into_its_attribute(source: str) -> None:
    group, name = attribute(source)
    value: Any = 7.5 if group == "measurements" else "value"
    member = {source.partition(".")[2]: value}
    document = {
        "data": {"baseData": {} if group == "tags" else {group: member}},
        "tags": member if group == "tags" else None,
    }
    event = EnvelopeReader().decode(json.dumps(document).encode())
    owner = event.tags if group == "tags" else getattr(event.data.baseData, group)
    assert getattr(owner, name) == value
    assert sum(v is not None for v in msgspec.structs.astuple(owner)) == 1


@given(st.lists(st.sampled_from(["all", "off", None]), max_size=4))
def test_every_stamp_of_a_line_is_seen_in_its_order(levels: list[str | None]) -> None:
    reader = EnvelopeReader()
    members = [f'"collector": {json.dumps({"telemetry_level": level})}' for level in levels]
    event = reader.decode(("{" + ", ".join([*members, '"data": {"baseData": {}}']) + "}").encode())
    assert [stamp.telemetry_level for stamp in reader.stamps] == levels
    assert (event.collector.telemetry_level if event.collector else None) == (levels[-1] if levels else None)


def test_threads_see_their_own_stamps() -> None:
    reader, found = EnvelopeReader(), {}
    line = b'{"collector": {"telemetry_level": "%b"}, "data": {"baseData": {}}}'

    def read(level: bytes) -> None:
        for _ in range(200):
            reader.stamps.clear()
            reader.decode(line % level)
            found.setdefault(level, set()).update(stamp.telemetry_level for stamp in reader.stamps)

    threads = [threading.Thread(target=read, args=(level,)) for level in (b"all", b"off", b"error")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {b"all": {"all"}, b"off": {"off"}, b"error": {"error"}}
