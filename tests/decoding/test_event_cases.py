"""Events as clients really send them, and stamps as they really break: each through the whole job."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import snippets
from tests.conftest import DATA, PRIVATE, read_rows, run_batch, sample, write_lines
from tests.support.windowed import Windows
from transforms.core.blocks import Block
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.step_keys import step_keys_of

CASES = DATA / "cases"
STAMP = {"received_at": "2026-03-29T10:15:33.120Z", "client_ip": "81.2.69.142"}
ALL = {**STAMP, "telemetry_level": "all", "snippet_consent": True}
OFF = {**STAMP, "telemetry_level": "off", "snippet_consent": True}
CODE = sample("snippets/pass/engine.completion")


def fates(source: Path, output: Path) -> tuple[int, int, dict[str, int]]:
    """Events, landed or duplicate ones, and all other fates."""
    books = run_batch(source, output)
    return books.events, books.landed + books.duplicate, dict(books.withheld + books.quarantined)


@pytest.mark.parametrize(
    ("name", "events", "landed", "others"),
    [
        ("A01-split-in-emoji.ndjson", 1, 1, {}),
        ("A02-surrogate-in-unneeded-property.ndjson", 2, 2, {}),
        ("A04-boolean-property.ndjson", 1, 1, {}),
        ("I07-1ds-shapes.ndjson", 3, 3, {}),
        ("D20-body-gzip-two-members.avro", 2, 2, {}),
        ("D25-array-one-member-lone-surrogate.avro", 3, 3, {}),
        ("G06-severity-text.ndjson", 1, 1, {}),
        ("I03-one-from-2070.ndjson", 3, 2, {"outside_key_ring": 1}),
        ("C01-off-user-lone-surrogate.ndjson", 1, 0, {"off": 1}),
        ("C02-no-consent-lone-surrogate.ndjson", 1, 0, {"snippet": 1}),
        ("C06-off-user-number-received_at.ndjson", 1, 0, {"off": 1}),
    ],
)
def test_case_meets_its_fate(name: str, events: int, landed: int, others: dict[str, int], tmp_path: Path) -> None:
    assert fates(CASES / name, tmp_path / "out") == (events, landed, others)
    if name.startswith("C"):
        assert [row["body"] for row in read_rows(tmp_path / "out", "quarantine")] == []


def test_pretty_printed_event_of_a_user_who_said_off_keeps_no_line_of_it(tmp_path: Path) -> None:
    run_batch(CASES / "C04-off-user-pretty-printed.ndjson", tmp_path / "out")
    rows = read_rows(tmp_path / "out", "quarantine")
    assert len(rows) == 42
    assert {row["body"] for row in rows} == {None}


def test_deep_value_lands_or_goes_aside_and_never_stops_the_run(tmp_path: Path) -> None:
    """Whatever scrubbing makes of it: with a bug or without one the event is counted once."""
    deep = (CASES / "deep600.ndjson").read_bytes().strip()
    books = run_batch(write_lines(tmp_path / "raw.ndjson", [deep, sample()]), tmp_path / "out")
    assert (books.events, books.landed + books.quarantined["unprocessable"]) == (2, 2)


def test_emoji_that_was_cut_in_two_is_whole_again(tmp_path: Path) -> None:
    run_batch(CASES / "A01-split-in-emoji.ndjson", tmp_path / "out")
    assert "\U0001f600" in _code(tmp_path)["completion_text_json"]


def _code(tmp_path: Path) -> dict[str, Any]:
    target = tmp_path / "code.jsonl"
    snippets.main(
        [
            f"--datasets={tmp_path}/out",
            f"--private_key={PRIVATE}/completions.json",
            f"--to={target}",
            "--purpose=a test",
        ]
    )
    (row,) = map(json.loads, target.read_text().splitlines())
    return dict(row)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("a\ud83d", "\ude00b", "a\U0001f600b"),
        ("a\ud83d", "b", "a�b"),
        ("a", "\ude00b", "a�b"),
        ("a\ude00", "\ud83db", "a��b"),
        ("a\ud83d\ud83d", "\ude00b", "a�\U0001f600b"),
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escapes", "raw bytes"])
def test_halves_of_characters(first: str, second: str, expected: str, ascii_only: bool, tmp_path: Path) -> None:
    document = sample("snippets/pass/engine.completion")
    pad = "x" * 9000
    document["data"]["baseData"]["properties"] |= {"completionTextJson": pad + first, "completionTextJson_02": second}
    line = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert fates(write_lines(tmp_path / "raw.ndjson", [line]), tmp_path / "out") == (1, 1, {})
    assert _code(tmp_path)["completion_text_json"] == pad + expected


def test_bytes_that_are_no_utf8_cost_only_themselves(tmp_path: Path) -> None:
    document = sample("snippets/pass/engine.completion")
    document["data"]["baseData"]["properties"]["completionTextJson"] = "caf#"
    line = json.dumps(document).encode().replace(b"#", b"\xe9")
    assert fates(write_lines(tmp_path / "raw.ndjson", [line]), tmp_path / "out") == (1, 1, {})
    assert _code(tmp_path)["completion_text_json"] == "caf�"


def test_booleans_and_numbers_are_their_json_text(tmp_path: Path) -> None:
    run_batch(CASES / "A04-boolean-property.ndjson", tmp_path / "out")
    (row,) = read_rows(tmp_path / "out", "requests")
    assert (row["is_cycling"], row["is_multiline"], row["is_after_accept"], row["is_speculative"]) == (
        True, False, False, True,
    )  # fmt: skip
    document = sample()
    document["data"]["baseData"]["properties"] |= {"choiceIndex": 3, "languageId": None, "engineName": 1.5}
    document["data"]["baseData"]["measurements"] |= {"compCharLen": "65", "numLines": ""}
    document["tags"]["ai.device.osVersion"] = 12
    assert fates(write_lines(tmp_path / "raw.ndjson", [document]), tmp_path / "two") == (1, 1, {})
    (row,) = read_rows(tmp_path / "two", "displays")
    assert (row["choice_index"], row["language"], row["completion_chars"], row["completion_lines"]) == (
        3, None, 65, None,
    )  # fmt: skip


def test_objects_as_values_are_their_json_text(tmp_path: Path) -> None:
    document = sample("errors/pass/unhandlederror")
    document["data"]["baseData"]["properties"]["message"] = {"why": ["it", True, 2**70, "\ud83d"]}
    assert fates(write_lines(tmp_path / "raw.ndjson", [document]), tmp_path / "out") == (1, 1, {})
    (row,) = read_rows(tmp_path / "out", "errors")
    assert row["message"] == '{"why":["it",true,1180591620717411303424,"�"]}'


@pytest.mark.parametrize(
    ("level", "severity"),
    [("Error", 3), ("warning", 2), ("Critical", 4), ("Verbose", 0), ("INFORMATION", 1), (2, 2), ("4", 4), (None, None)],
)
def test_severity_as_word_or_number(level: object, severity: int | None, tmp_path: Path) -> None:
    document = json.loads((CASES / "G06-severity-text.ndjson").read_text())
    document["data"]["baseData"]["severityLevel"] = level
    run_batch(write_lines(tmp_path / "raw.ndjson", [document]), tmp_path / "out")
    assert [row["severity"] for row in read_rows(tmp_path / "out", "errors")] == [severity]


@pytest.mark.parametrize(
    ("rate", "kept"),
    [(50, 50.0), ("33.3", 33.3), (100, 100.0), (0, None), (-1, None), (250, None), ("half", None), (None, None),
     (True, None), ([50], None)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["sampleRate", "popSample"])
def test_sample_rate_is_kept_where_it_is_one(name: str, rate: object, kept: float | None, tmp_path: Path) -> None:
    document = sample()
    del document["sampleRate"]
    document[name] = rate
    assert fates(write_lines(tmp_path / "raw.ndjson", [document]), tmp_path / "out") == (1, 1, {})
    assert [row["sample_rate"] for row in read_rows(tmp_path / "out", "displays")] == [kept]


def test_address_that_the_payload_holds_is_never_used(tmp_path: Path) -> None:
    line = json.loads((CASES / "I07-1ds-shapes.ndjson").read_text().splitlines()[0])
    line["collector"]["client_ip"] = None
    run_batch(write_lines(tmp_path / "raw.ndjson", [line]), tmp_path / "out")
    assert [row["country"] for row in read_rows(tmp_path / "out", "displays")] == [None]


def test_time_to_come_closes_no_suggestion_of_a_stream(tmp_path: Path) -> None:
    lines = (CASES / "I03-one-from-2070.ndjson").read_bytes().splitlines()
    for name, taken in (("with", lines), ("without", [lines[0], lines[2]])):
        (tmp_path / name).mkdir()
        Windows(tmp_path / name).run([(1_795_000_000 + n, line) for n, line in enumerate(taken)], 300)
    assert read_rows(tmp_path / "with", "displays") == read_rows(tmp_path / "without", "displays")
    assert read_rows(tmp_path / "with", "suggestions") == read_rows(tmp_path / "without", "suggestions") == []
    assert [row["reason"] for row in read_rows(tmp_path / "with", "quarantine")] == ["outside_key_ring"]


def decoded(line: bytes, ring: KeyRing) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Counts beside payloads and events, and quarantine rows, of one line."""
    batches = {
        b.kind: b.batch.to_pylist() for b in BlockDecoder(step_keys_of(ring).quarantine, 4).decode(Block(lines=[line]))
    }
    counts = {f"{row['kind']} {row['key']}".strip(): row["count"] for row in batches.pop("counts")}
    assert counts.pop("payloads") == counts.pop("events") == 1
    quarantined = batches.pop("quarantine", [])
    assert not batches
    return counts, quarantined


def with_stamps(document: dict[str, Any], *stamps: object) -> bytes:
    """The line with so many members `collector`, the last one at its end, the others at its beginning."""
    body = json.dumps({k: v for k, v in document.items() if k != "collector"})[1:-1]
    *first, last = (f'"collector": {json.dumps(stamp)}' for stamp in stamps)
    return ("{" + ", ".join([*first, body, last]) + "}").encode()


SAID_OFF = [
    with_stamps(CODE, ALL, OFF),
    with_stamps(CODE, OFF, ALL),
    with_stamps(CODE, OFF, ALL).replace(b'"collector": {"received_at"', b'"c\\u006fllector": {"received_at"', 1),
    with_stamps({**CODE, "time": 7, "tags": []}, ALL, OFF),
    with_stamps({**CODE, "tags": []}, {**OFF, "client_ip": 7}),
    with_stamps({**CODE, "tags": []}, {**OFF, "snippet_consent": "yes"}),
    with_stamps({**CODE, "tags": []}, {**OFF, "received_at": None}),
    with_stamps({**CODE, "tags": []}, {**ALL, "telemetry_level": "everything"}),
    with_stamps({**CODE, "tags": []}, {**ALL, "telemetry_level": None}),
    with_stamps({**CODE, "tags": []}, {}),
]


@pytest.mark.parametrize("line", SAID_OFF)
def test_line_whose_lowest_stamp_permits_nothing_is_withheld(line: bytes, ring: KeyRing) -> None:
    assert decoded(line, ring) == ({"withheld off": 1}, [])


NOT_WHOLE = {
    "cut before its stamp": with_stamps(CODE, ALL)[:-200],
    "cut inside its stamp": with_stamps(CODE, ALL)[:-10],
    "begins in the middle": with_stamps(CODE, ALL)[300:],
    "a stamp inside a text": json.dumps({"a": with_stamps(CODE, ALL).decode()}).encode()[:-1],
    "a stamp inside an object": b'{"data": ' + with_stamps(CODE, ALL),
    "damage before its stamp": with_stamps(CODE, ALL).replace(b'"ver": 1', b'"ver": NaN'),
    "another stamp in what is damaged": b'{"collector": ' + json.dumps(ALL).encode() + b', "x": "' + with_stamps(CODE, OFF),
    "a stamp whose name is hidden before one that is not": b'{"c\\u006fllector": '
    + json.dumps(OFF).encode() + b', "collector": ' + json.dumps(ALL).encode() + b', "x": "',
    "first and without consent": b'{"collector": ' + json.dumps({**ALL, "snippet_consent": False}).encode() + b', "x": "',
    "first and at level error": b'{"collector": ' + json.dumps({**ALL, "telemetry_level": "error"}).encode() + b', "x": "',
    "two lines in one": with_stamps(CODE, ALL)[:-300] + with_stamps(CODE, ALL),
    "an address that is none of text": with_stamps({**CODE, "tags": []}, {**ALL, "client_ip": 7}),
    "a time that is a number": with_stamps(CODE, {**ALL, "received_at": 1774779332104}),
    "consent as text": with_stamps(CODE, {**ALL, "snippet_consent": "true"}),
    "a level in a list": with_stamps(CODE, {**ALL, "telemetry_level": ["all"]}),
    "a stamp that is text": with_stamps(CODE, "all"),
    "a stamp in a list": with_stamps(CODE, [ALL]),
    "several, one not whole": with_stamps(CODE, {**ALL, "client_ip": 7}, ALL),
    "hidden name of code": with_stamps({**CODE, "tags": []}, {**ALL, "snippet_consent": False}).replace(
        b"completionTextJson", b"completionTextJs\\u006fn"
    ),
    "no line at all": b"\x00\x01 code",
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_payload_whose_consent_is_not_known_leaves_no_bytes(name: str, ring: KeyRing) -> None:
    counts, (row,) = decoded(NOT_WHOLE[name], ring)
    assert counts == {}
    assert row["reason"] in ("malformed_payload", "invalid_event")
    assert (row["body"], row["body_key_id"]) == (None, None)


KEPT = [
    b'{"collector": ' + json.dumps(ALL).encode() + b', "data": {"baseData": {"name": "ghost',
    b'{"collector": ' + json.dumps(ALL).encode(),
    with_stamps({**CODE, "tags": 7}, ALL),
    with_stamps({**CODE, "tags": 7}, ALL, ALL),
    with_stamps({**sample(), "tags": 7}, {**ALL, "snippet_consent": False}),
    b'{"ver": 1, "collector": ' + json.dumps(ALL).encode() + b', "data": nothing}',
]


@pytest.mark.parametrize("line", KEPT)
def test_payload_whose_stamp_was_read_whole_keeps_its_bytes(line: bytes, ring: KeyRing) -> None:
    counts, (row,) = decoded(line, ring)
    assert counts == {}
    assert row["body"] is not None
    assert f"{row['received_at']:%Y-%m-%d}" == "2026-03-29"


def changed(**groups: Any) -> dict[str, Any]:
    document = sample("persistence_checks/pass/ghostText.stillInCode")
    for name, value in groups.items():
        (document["data"]["baseData"] if name in ("properties", "measurements", "name") else document)[name] = value
    return document


@pytest.mark.parametrize(
    ("document", "field", "expected"),
    [
        (changed(measurements={"timeout": 2**31}), "check_s", "whole number from -2147483648 to 2147483647, unit s"),
        (changed(measurements={"timeout": "soon"}), "data.baseData.measurements.timeout", "number"),
        (changed(measurements={"timeout": True}), "data.baseData.measurements.timeout", "number"),
        (changed(measurements=[1]), "data.baseData.measurements", "object of numbers"),
        (changed(properties="x"), "data.baseData.properties", "object of texts"),
        (changed(properties={"choiceIndex": "x"}), "choice_index", "whole number from -2147483648 to 2147483647, unit index"),
        (changed(time="yesterday"), "occurred_at", "a time as ISO 8601"),
        (changed(name=None, data={"baseData": {}}), "data.baseData.name", "text"),
        (changed(data=7), "data", "object"),
        (changed(tags=7), "tags", "object of texts"),
        (changed(collector={**ALL, "received_at": "noon"}), "received_at", "a time as ISO 8601, of the years 2000 to 2099"),
        (changed(collector={**ALL, "received_at": 12}), "collector.received_at", "text: a time as ISO 8601"),
        (changed(collector={**ALL, "telemetry_level": 1}), "collector.telemetry_level", "text: one of off, crash, error, all"),
        (json.dumps(sample()).encode()[:-30], "character", "JSON"),
    ],
)  # fmt: skip
def test_row_names_the_field_and_what_it_must_be(document: Any, field: str, expected: str, ring: KeyRing) -> None:
    document = document | {"name": None} if isinstance(document, dict) and field == "data.baseData.name" else document
    _, (row,) = decoded(document if isinstance(document, bytes) else json.dumps(document).encode(), ring)
    assert row["field"].startswith(field)
    assert row["expected"] == expected


def test_no_name_and_no_value_of_a_client_stands_in_field_or_expected(tmp_path: Path) -> None:
    documents: list[Any] = []
    for value in ("secret-value", ["secret-value"], {"secret-name": "secret-value"}, 10**400, True, None):
        for place in ("properties", "measurements", "name", "exceptions", "severityLevel"):
            documents.append(changed())
            documents[-1]["data"]["baseData"][place] = value
        for member in ("timeout", "compCharLen", "secret-name"):
            documents.append(changed(measurements={member: value}))
        for member in ("received_at", "client_ip", "telemetry_level", "snippet_consent", "secret-name"):
            documents.append(changed(collector={**ALL, member: value}))
        documents += [changed(data=value), changed(tags=value), changed(collector=value), changed(time=value)]
    run_batch(write_lines(tmp_path / "raw.ndjson", documents), tmp_path / "out")
    rows = read_rows(tmp_path / "out", "quarantine")
    assert len({row["field"] for row in rows}) > 10
    assert "secret" not in repr([(row["field"], row["expected"], row["reason"]) for row in rows])
