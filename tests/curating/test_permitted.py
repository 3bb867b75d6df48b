"""What is left of rows by the record: rows, fields and code above the level that is left, before a time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.registry import LEVELS, load
from transforms.core.batches import COUNTS
from transforms.core.curating.permitted import Permitted, left_by, only_permitted, rows_that_go
from transforms.core.keys.pseudonyms import Pseudonymizer
from transforms.core.output.erased import LOOSE, Erased, Rule, digests_of

KEY = b"k" * 32
MINE, OTHERS, SESSION = "aa" * 16, "bb" * 16, "cc" * 16
DAY_US = 86_400_000_000


def table(dataset: str, rows: list[dict[str, Any]], *, travels: bool = False) -> pa.Table:
    """Rows with some values; the others are null."""
    schema = load(dataset).sealed_arrow if travels else load(dataset).arrow
    made = [{name: row.get(name, _least(schema.field(name))) for name in schema.names} for row in rows]
    if travels:
        hexed = [f.name for f in load(dataset).fields if f.pseudonym_domain]
        made = [{k: bytes.fromhex(v) if k in hexed and v else v for k, v in row.items()} for row in made]
    return pa.Table.from_pylist(made, schema=schema)


def _least(field: pa.Field) -> Any:
    if field.name in ("event_id", "payload_id"):
        return "00" * 16
    if (field.nullable and field.name != "received_at") or field.name == "is_primary":
        return None
    if pa.types.is_string(field.type) or pa.types.is_binary(field.type):
        return "00" * 16
    return 0


def permitted(rules: Mapping[tuple[str, str], Rule]) -> Permitted:
    pseudonymizer = Pseudonymizer(KEY)
    digests = [(digests_of(pseudonymizer, kind, [text])[0], rule) for (kind, text), rule in rules.items()]
    return Permitted(Erased().with_rules(digests), KEY)


OFF = Rule(DAY_US, "off", snippet_consent=False)


@pytest.mark.parametrize("travels", [False, True])
def test_rows_of_a_person_received_before_go_in_files_and_on_their_way(travels: bool) -> None:
    rows = [
        {"installation_id": MINE, "received_at": 5},
        {"installation_id": OTHERS, "received_at": 5},
        {"installation_id": MINE, "received_at": DAY_US},
        {"installation_id": None, "received_at": 5},
    ]
    left = permitted({("installation", MINE): OFF}).left("displays", table("displays", rows, travels=travels))
    assert left.goes.tolist() == left.is_erased.tolist() == [True, False, False, False]
    assert left.table.num_rows == 3


def test_a_session_is_looked_at_where_no_user_is_named_and_on_its_installation() -> None:
    rows = [
        {"session_id": SESSION},
        {"session_id": SESSION, "user_id": OTHERS},
        {"session_id": SESSION, "installation_id": OTHERS},
        {"session_id": SESSION, "installation_id": MINE},
        {},
    ]
    rules = {(LOOSE, f"{SESSION}/"): OFF, (LOOSE, f"{SESSION}/{MINE}"): OFF}
    assert permitted(rules).left("displays", table("displays", rows)).goes.tolist() == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("dataset", "rank", "code", "goes"),
    [
        ("displays", 3, True, False), ("displays", 2, True, True), ("displays", 3, False, False),
        ("errors", 2, True, False), ("errors", 0, True, True), ("snippets", 3, True, False),
        ("snippets", 3, False, True), ("snippets", 2, True, True), ("suggestions", 2, True, True),
        ("quarantine", 1, True, False), ("quarantine", 0, True, True),
    ],
)  # fmt: skip
def test_which_rows_go_by_what_is_left(dataset: str, rank: int, code: bool, goes: bool) -> None:
    assert rows_that_go(dataset, np.array([rank]), np.array([code])).tolist() == [goes]


def test_fields_above_what_is_left_become_null_and_nothing_else_changes() -> None:
    rows = [{"installation_id": MINE, "user_id": MINE, "event_name": "exception", "country": "PL", "os": "linux"}]
    before = table("errors", rows)
    for level, rank in (("error", 2),):
        left = left_by("errors", before, np.array([rank]), np.array([True]))
        for field in load("errors").fields:
            is_lost = LEVELS.index(field.level) > rank and not field.required
            was = before[field.name][0].as_py()
            assert left.table[field.name][0].as_py() == (None if is_lost else was), (level, field.name)
        assert left.loses.tolist() == [True]


def test_bodies_and_the_word_of_code_go_with_consent() -> None:
    body = table("quarantine", [{"body": b"sealed", "body_key_id": "standing"}])
    left = left_by("quarantine", body, np.array([3]), np.array([False]))
    assert left.table["body"].null_count == left.table["body_key_id"].null_count == 1
    one = table("suggestions", [{"has_snippet": True}, {"has_snippet": False}])
    left = left_by("suggestions", one, np.array([3, 3]), np.array([False, False]))
    assert left.table["has_snippet"].to_pylist() == [False, False]
    assert left.loses.tolist() == [True, False]


def test_what_goes_before_it_landed_is_counted_once_on_its_day() -> None:
    rows = [
        {"installation_id": MINE, "received_at": 5, "is_primary": True},
        {"installation_id": MINE, "received_at": 6, "is_primary": False},
        {"installation_id": OTHERS, "received_at": 5, "is_primary": True},
    ]
    tables = {"displays": table("displays", rows, travels=True)}
    left = only_permitted(tables, permitted({("installation", MINE): OFF, ("installation", OTHERS): OFF}))
    assert "displays" not in left  # none of its rows is left
    (counted,) = left[COUNTS].to_pylist()
    assert {k: counted[k] for k in ("days", "kind", "key", "count")} == {
        "days": 0, "kind": "withheld", "key": "erased", "count": 2,
    }  # fmt: skip
    assert only_permitted(tables, permitted({})) is tables
