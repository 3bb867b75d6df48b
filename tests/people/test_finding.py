"""Rows of people in an output of real runs: all of theirs, and nobody else's."""

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest

from pipelines.people import finding
from pipelines.people.finding import Found, find_people
from pipelines.people.known_as import KnownAs
from pipelines.people.people_file import Person
from schemas.registry import load
from tests.conftest import KEY_RING, run_batch, write_lines
from tests.support.persons import KINDS, event, life, machine, session, user
from transforms.core.keys.open_ring import open_pseudonyms
from transforms.core.output.layout import Output

NEXT_MONTH = "2026-04-02T10:00:00.000Z"
MANIFEST = {
    "events": {
        "canary.done": {
            "who": {"classification": "EndUserPseudonymizedInformation", "purpose": "FeatureInsight"},
            "what": {"classification": "SystemMetaData", "purpose": "FeatureInsight"},
        }
    }
}


def extension_event(person: int | None, **properties: str) -> dict[str, object]:
    document = event(person or 0)
    base = document["data"]["baseData"]
    base["name"] = "publisher.extension/canary.done"
    own = {k: v for k, v in base["properties"].items() if person is not None or k == "unique_id"}
    base["properties"] = {**own, "unique_id": f"of {person} {properties}", **properties}
    return document


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Output:
    """Eight people on two days of two months; loose rows; properties that hold ids."""
    folder = tmp_path_factory.mktemp("found")
    (folder / "telemetry.json").write_text(json.dumps(MANIFEST))
    documents = [row for person in range(8) for row in (*life(person), *life(person, 1, NEXT_MONTH))]
    loose = {"client_machineid": None, "copilot_trackingId": None}
    documents += [event(3, 7, **loose), event(4, 7, **loose)]
    documents += [event(3, 8, client_machineid=machine(30)), event(5, 8, client_sessionid=session(3))]
    documents += [
        extension_event(None, who=user(3)),
        extension_event(None, what=machine(3)),
        extension_event(None, who="x"),
    ]
    run_batch(write_lines(folder / "raw.ndjson", documents), folder / "out", "--close_open_suggestions",
              f"--telemetry_manifest={folder}/telemetry.json")  # fmt: skip
    return Output(str(folder / "out"))


def found(output: Output, *people: Person) -> Found:
    return find_people(output.listing(), KnownAs(people, open_pseudonyms(KEY_RING)))


def by_dataset(found: Found) -> Counter[str]:
    rows: Counter[str] = Counter()
    for of_file in found.files:
        rows[of_file.file.dataset] += len(of_file.rows)
    return rows


def whole(person: int) -> Person:
    return Person({"installation": frozenset({machine(person)}), "user": frozenset({user(person)})})


def test_all_rows_of_a_person_over_months_machines_sessions_and_properties(output: Output) -> None:
    rows = by_dataset(found(output, whole(3)))
    lives = 2  # in two months
    assert rows["requests"] == rows["outcomes"] == rows["persistence_checks"] == rows["snippets"] == lives
    assert rows["displays"] == lives + 2  # one of the session alone, one of another machine
    assert rows["suggestions"] == lives + 2
    assert rows["extension_events"] == 2
    assert sum(rows.values()) == by_dataset(found(output, whole(6))).total() + 6


def test_rows_are_those_that_bear_the_ids(output: Output) -> None:
    keys = open_pseudonyms(KEY_RING)
    mine = {keys.pseudonymizer("installation", month).of(machine(6)).hex() for month in ("2026-03", "2026-04")}
    result = found(output, whole(6))
    assert {of_file.persons.tolist().count(0) == len(of_file.rows) for of_file in result.files} == {True}
    rows = {(of_file.file.path, row) for of_file in result.files for row in of_file.rows.tolist()}
    expected = {
        (file.path, number)
        for file in output.listing().files(*finding.PERSONS_DATASETS)
        for number, name in enumerate(
            pq.ParquetFile(file.path).read(["installation_id"])["installation_id"].to_pylist()
        )
        if name in mine
    }
    assert rows == expected
    assert len(rows) == 2 * (len(KINDS) + 1)


def test_a_session_of_two_accounts_stays_the_others(output: Output) -> None:
    """Person 5 sent one event in a session of person 3: it names person 5."""
    of_three = {(f.file.path, row) for f in found(output, whole(3)).files for row in f.rows.tolist()}
    of_five = [(f.file, row) for f in found(output, whole(5)).files for row in f.rows.tolist()]
    both = Counter(file.dataset for file, row in of_five if (file.path, row) in of_three)
    assert both == {"displays": 1, "suggestions": 1}  # the row that names the session alone may be of either
    given = found(output, Person({"session": frozenset({session(3)})}))
    assert by_dataset(given)["displays"] == 2 + 3  # of the session itself, whoever sent it


def test_of_a_user_alone_the_code_is_found_by_sessions(output: Output) -> None:
    by_user = Person({"user": frozenset({user(6)})})
    assert by_dataset(found(output, by_user)) == by_dataset(found(output, whole(6)))
    assert "user_id" not in load("snippets").arrow.names


def test_of_a_machine_alone_only_files_of_its_slot_are_read(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    by_machine = Person({"installation": frozenset({machine(6)})})
    assert by_dataset(found(output, by_machine)) == by_dataset(found(output, whole(6)))
    all_files = len([*output.listing().files(*finding.PERSONS_DATASETS)])
    assert found(output, whole(6)).files_read == all_files
    assert found(output, by_machine).files_read < all_files / 2


def test_nobody_is_found_for_ids_of_nobody(output: Output) -> None:
    assert found(output, whole(99)).files == []


@pytest.mark.parametrize("rows_at_once", [1, 5])
def test_how_many_files_are_looked_up_together_changes_nothing(
    output: Output, rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = (whole(3), whole(6), Person({"session": frozenset({session(5)})}))
    together = [(f.file, f.rows.tolist(), f.persons.tolist(), *f[3:]) for f in found(output, *people).files]
    monkeypatch.setattr(finding, "_ROWS_AT_ONCE", rows_at_once)
    assert [(f.file, f.rows.tolist(), f.persons.tolist(), *f[3:]) for f in found(output, *people).files] == together
    assert len(together) > 10
