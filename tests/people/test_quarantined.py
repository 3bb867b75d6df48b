"""Payloads that hold a raw id in any form; without the operators' key it is told how many were not looked into."""

import gzip
import json
from pathlib import Path

import fastavro
import pytest

from pipelines.people.people_file import Person
from pipelines.people.quarantined import find_payloads
from schemas.errors import KeyUnavailable
from schemas.registry import raw_schemas
from tests.conftest import PRIVATE, run_batch
from tests.support.persons import machine, user
from transforms.core.keys.private_keys import load_private
from transforms.core.output.layout import Output

STAMP = {"received_at": "2026-03-29T10:00:00Z", "telemetry_level": "all", "snippet_consent": True, "client_ip": None}


def line(text: str) -> bytes:
    return json.dumps({"collector": STAMP, "broken": text}).encode()


FORMS = {
    "plain": line(f"x{machine(1)}y"),
    "escaped": line("@").replace(b"@", "".join(f"\\u{ord(c):04x}" for c in machine(1)).encode()),
    "second id": line(user(1)),
    "other": line(machine(2)),
}


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Output:
    folder = tmp_path_factory.mktemp("quarantined")
    (folder / "raw.ndjson").write_bytes(b"\n".join(FORMS.values()))
    schema = fastavro.parse_schema(raw_schemas()["raw_request.1"])
    bodies = {"utf-16": machine(1).encode("utf-16"), "gzip": gzip.compress(b"{broken " + machine(1).encode())}
    requests = [
        {
            **STAMP,
            "received_at": 1774778400000000,
            "content_type": "application/json",
            "content_encoding": None,
            "body": body,
        }
        for body in (*bodies.values(), b"{ nobody")
    ]
    with (folder / "raw.avro").open("wb") as file:
        fastavro.writer(file, schema, requests)
    run_batch([f"{folder}/raw.ndjson", f"{folder}/raw.avro"], folder / "out")
    return Output(str(folder / "out"))


PEOPLE = [
    Person({"user": frozenset({"nobody-of-these"})}),
    Person({"installation": frozenset({machine(1)}), "user": frozenset({user(1)})}),
]


def test_all_forms_are_found(output: Output) -> None:
    found = find_payloads(output.listing(), PEOPLE, load_private(str(PRIVATE / "operators.json")))
    assert (found.rows, len(found.payload_ids), found.unopened) == (5, 5, 0)
    assert {*found.payload_ids.values()} == {1}


def test_without_the_key_it_is_told_how_many_were_not_looked_into(output: Output) -> None:
    found = find_payloads(output.listing(), PEOPLE, None)
    assert (found.rows, found.unopened) == (0, 7)


def test_a_key_of_others_opens_nothing(output: Output, tmp_path: Path) -> None:
    keys = load_private(str(PRIVATE / "operators.json"))
    keys.keys["standing"] = bytes(range(32))
    with pytest.raises(KeyUnavailable, match="does not open the data"):
        find_payloads(output.listing(), PEOPLE, keys)
