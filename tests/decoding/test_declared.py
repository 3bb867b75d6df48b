"""Members that a manifest declares: those alone are read, in every form in which clients send them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidEvent, Reason
from schemas.manifest_documents import manifests_of
from schemas.manifests import KEEP, NO_MANIFESTS, PERSON, SCRUB, DeclaredEvent
from tests.conftest import DATA
from transforms.core.blocks import Block
from transforms.core.decoding import declared as module
from transforms.core.decoding.declared import DeclaredRows, declared_columns, declared_members, unread_names
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.step_keys import step_keys_of

MANIFESTS = manifests_of({"a": json.loads((DATA / "golden" / "extension" / "telemetry.json").read_text())})
EVENT = MANIFESTS.find("lint.done")
assert EVENT is not None
DECLARED: DeclaredEvent = EVENT


def line(properties: Any = None, measurements: Any = None, **more: Any) -> bytes:
    base = {"name": "acme.linter/lint.done", "properties": properties, "measurements": measurements}
    return json.dumps({"data": {"baseData": base}, **more}).encode()


def test_declared_members_are_read_by_treatment_and_dropped_ones_are_not() -> None:
    found = declared_members(
        line({"rule": "r", "ACCOUNT": "bob", "failure": "f", "snippet": "s", "publisher": "p", "undeclared": "u"},
             {"durationMs": 1, "undeclared": 2}), DECLARED,
    )  # fmt: skip
    assert found.texts == {KEEP: {"rule": "r"}, PERSON: {"account": "bob"}, SCRUB: {"failure": "f"}}
    assert found.numbers == {"durationms": 1.0}


def test_a_member_that_is_not_declared_never_becomes_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(module, "read_json", lambda data: read.append(data) or json.loads(data))
    declared_members(
        line({"rule": "kept", "snippet": "dropped", "undeclared": "unread", "common.machineId": "m"}), DECLARED
    )
    assert read == [b'"kept"']


def test_what_has_a_column_of_its_own_stands_there_alone() -> None:
    event = manifests_of(
        {"a": {"events": {"e": {"common.vscodemachineid": {"classification": "SystemMetaData"}}}}}
    ).find("e")
    assert event is not None
    assert declared_members(line({"common.vscodemachineid": "m", "common_vscodemachineid": "m"}), event).texts == {}


def test_split_values_are_joined_and_odd_ones_are_text() -> None:
    texts = declared_members(
        line({"failure": "a" * 9, "failure_02": "b", "rule": {"x": 1}, "market": True}), DECLARED
    ).texts
    assert texts == {SCRUB: {"failure": "a" * 9 + "b"}, KEEP: {"rule": '{"x":1}', "market": "true"}}
    assert declared_members(line({"rule": None, "market": ""}), DECLARED).texts == {}


def test_a_measurement_may_be_text_and_must_be_a_number() -> None:
    assert declared_members(line({"durationms": "3.5"}), DECLARED).numbers == {"durationms": 3.5}
    with pytest.raises(InvalidEvent) as refused:
        declared_members(line({}, {"durationMs": "soon"}), DECLARED)
    assert refused.value.field == "data.baseData.measurements.durationms"


def test_a_number_that_identifies_does_not_land() -> None:
    event = manifests_of({"a": {"events": {"e": {"n": {"classification": "EndUserPseudonymizedInformation"}}}}}).find(
        "e"
    )
    assert event is not None
    assert declared_members(line({}, {"n": 123}), event).numbers == {}


@given(
    st.dictionaries(st.sampled_from(["rule", "RULE", "snippet", "x", "failure_02"]), st.text(max_size=9) | st.none())
)
def test_a_line_that_only_the_loose_reader_reads_gives_the_same(properties: dict[str, Any]) -> None:
    strict = line(properties)
    loose = strict.replace(b'{"data"', b'{"broken": "\xff", "data"')
    assert declared_members(loose, DECLARED) == declared_members(strict, DECLARED)


def test_unread_names_are_what_is_not_declared() -> None:
    assert unread_names(line({"rule": 1, "x": 2, "x_02": 3, "common.machineId": 4}, {"y": 1}), DECLARED) == [
        "properties.x", "measurements.y",
    ]  # fmt: skip


def test_rows_have_no_members_without_a_manifest_and_the_contract_goes_first() -> None:
    assert DeclaredRows(NO_MANIFESTS).find("lint.done") is None
    own = manifests_of({"a": {"events": {"completion.finishReason": {}, "e": {}}}})
    assert DeclaredRows(own).find("completion.finishReason") is None
    assert DeclaredRows(own).find("e") is not None


def test_columns_have_a_row_for_each_event() -> None:
    columns = declared_columns(
        [declared_members(line({"rule": "r"}), DECLARED), declared_members(line(), DECLARED)], MANIFESTS
    )
    assert {len(column) for column in columns.values()} == {2}
    assert columns["manifest"].to_pylist() == [MANIFESTS.digest] * 2


def test_every_event_has_one_fate(ring: KeyRing) -> None:
    stamp = {
        "collector": {"received_at": "2026-03-29T10:00:00Z", "telemetry_level": "all"},
        "time": "2026-03-29T10:00:00Z",
    }
    low = {**stamp, "collector": {**stamp["collector"], "telemetry_level": "error"}}  # type: ignore[dict-item]
    lines = [
        line({"rule": "r"}, **stamp),
        line({}, {"durationMs": "x"}, **stamp),
        line({}, **low),
        line({"rule": "q"}, **stamp),
    ]
    decoded = BlockDecoder(step_keys_of(ring).quarantine, 4, manifests=MANIFESTS).decode(Block(lines=lines))
    assert decoded.events == 4
    batches = {batch.kind: batch.batch for batch in decoded}
    assert batches["extension_events"].num_rows == 2
    assert batches["extension_events"].column("_kept").to_pylist() == [[("rule", "r")], [("rule", "q")]]
    assert batches["quarantine"].column("reason").to_pylist() == [str(Reason.INVALID_EVENT)]
    counts = {(row["kind"], row["key"]): row["count"] for row in batches["counts"].to_pylist()}
    assert counts == {("events", ""): 4, ("payloads", ""): 4, ("withheld", "error"): 1}
