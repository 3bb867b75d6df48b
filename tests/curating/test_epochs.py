"""A suggestion that lives over the end of a month has one month's key; whatever comes later changes nothing of it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import landing, nothing_recent
from tests.support.facts import sealed_batch
from transforms.core.curating import epochs
from transforms.core.curating.curate import as_in_files
from transforms.core.curating.epochs import settle_epochs
from transforms.core.recent.near_ids import NearIds, ids_of, together

BORDER = datetime(2026, 4, 1, tzinfo=UTC)
HORIZON = timedelta(minutes=30)
MARCH, APRIL = "2026-03", "2026-04"
OF_PERSON = {MARCH: "a" * 32, APRIL: "b" * 32}

Told = tuple[str, float, dict[str, Any]]
"""A dataset, the minute after the border, and what the row names."""


def row_of(number: int, minute: float, named: dict[str, Any]) -> dict[str, Any]:
    moment = BORDER + timedelta(minutes=minute)
    month = MARCH if minute < 0 else APRIL
    row = {"event_id": f"{number:032x}", "event_name": "e", "received_at": moment, "occurred_at": moment,
           "key_id": month, "installation_id": OF_PERSON[month], "schema_version": 1, "redaction_count": 0}  # fmt: skip
    ids = {name: f"{name[0]}{value}".encode().hex().rjust(32, "0") if name != "kind" else value
           for name, value in named.items()}  # fmt: skip
    former = {"_former_key_id": MARCH, "_former_installation_id": bytes.fromhex(OF_PERSON[MARCH])}
    return {**row, **ids, **(former if 0 <= minute < 24 * 60 + 30 else {})}


def tables_of(told: Iterable[tuple[int, Told]]) -> dict[str, pa.Table]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for number, (dataset, minute, named) in told:
        rows.setdefault(dataset, []).append(row_of(number, minute, named))
    return {name: as_in_files(name, pa.Table.from_batches([sealed_batch(name, found).batch]))
            for name, found in rows.items()}  # fmt: skip


class Remembering:
    """What was settled before, as a bucket's memory says it."""

    def __init__(self) -> None:
        self.tables: list[tuple[str, pa.Table]] = []

    def near_ids(self, month: str, ids: pa.Array, since_us: int, until_us: int) -> NearIds:
        return together([ids_of(name, table, month, since_us) for name, table in self.tables])


def months(told: list[Told], cuts: Iterable[float] = (), shuffle: Random | None = None) -> list[str]:
    """The month under which each row lands, where the input is cut at these minutes."""
    numbered, recent, found = list(enumerate(told)), Remembering(), {}
    edges = [float("-inf"), *sorted(cuts), float("inf")]
    for begin, end in pairwise(edges):
        part = [each for each in numbered if begin <= each[1][1] < end]
        if shuffle is not None:
            shuffle.shuffle(part)
        settled = settle_epochs(tables_of(part), recent, HORIZON)  # type: ignore[arg-type]
        recent.tables += settled.items()
        for table in settled.values():
            assert not [name for name in table.column_names if name.startswith("_former")]
            for row in table.to_pylist():
                assert row["installation_id"] == OF_PERSON[row["key_id"]], "a row names one month in all its ids"
                found[int(row["event_id"], 16)] = row["key_id"]
    return [found[number] for number in range(len(told))]


def shown(minute: float, **named: Any) -> Told:
    return "displays", minute, {"kind": "ghost_text", **named}


def accepted(minute: float, **named: Any) -> Told:
    return "outcomes", minute, {"kind": "ghost_text", **named}


def asked(minute: float, **named: Any) -> Told:
    return "requests", minute, named


def test_a_suggestion_takes_the_month_of_its_first_fact() -> None:
    assert months([shown(-1, suggestion_id=1), accepted(1, suggestion_id=1)]) == [MARCH, MARCH]
    assert months([shown(1, suggestion_id=1), accepted(2, suggestion_id=1)]) == [APRIL, APRIL]


def test_rows_follow_in_turn() -> None:
    chain = [
        shown(-1, suggestion_id=1),
        accepted(1, suggestion_id=1, request_id=5),
        shown(20, request_id=5, suggestion_id=2),
    ]
    assert months(chain) == [MARCH] * 3
    assert months(chain[1:]) == [APRIL] * 2


def test_a_suggestion_goes_with_its_request_and_its_opportunity() -> None:
    assert months([asked(-1, request_id=5), shown(1, request_id=5, suggestion_id=1)]) == [MARCH] * 2
    begun = [asked(-1, request_id=5, opportunity_id=7), asked(1, request_id=6, opportunity_id=7),
             shown(2, request_id=6, suggestion_id=1), accepted(3, suggestion_id=1)]  # fmt: skip
    assert months(begun) == [MARCH] * 4


def test_what_names_nothing_of_the_month_before_is_of_its_own() -> None:
    others = [shown(-1, suggestion_id=1, request_id=1), shown(1, suggestion_id=2, request_id=2), asked(1), accepted(2)]
    assert months(others) == [MARCH, APRIL, APRIL, APRIL]


def test_a_suggestion_of_its_own_month_stays_there() -> None:
    """It is shown again under an opportunity of the month before: what landed is not changed, and one life is of one."""
    life = [asked(-1, opportunity_id=7), shown(1, suggestion_id=1), shown(2, suggestion_id=1, opportunity_id=7)]
    assert months(life) == [MARCH, APRIL, APRIL]


def test_what_comes_later_than_the_horizon_or_after_the_first_day_is_of_its_own_month() -> None:
    assert months([shown(-1, suggestion_id=1), accepted(29, suggestion_id=1)]) == [MARCH, MARCH]
    assert months([shown(-1, suggestion_id=1), accepted(29.1, suggestion_id=1)]) == [MARCH, APRIL]
    on = [shown(minute, suggestion_id=1) for minute in range(-1, 26 * 60, 25)]
    found = months(on)
    last = max(number for number, month in enumerate(found) if month == MARCH)
    assert found == [MARCH] * (last + 1) + [APRIL] * (len(found) - last - 1)
    assert 24 * 60 <= on[last][1] < 24 * 60 + 30


def test_an_earlier_row_does_not_follow_a_later_one() -> None:
    told = [
        asked(-1, request_id=5),
        shown(1, opportunity_id=7, suggestion_id=2),
        shown(2, opportunity_id=7, request_id=5, suggestion_id=1),
    ]
    assert months(told) == [MARCH, APRIL, MARCH]


def test_rows_of_one_moment_follow_each_other_in_any_order() -> None:
    upload = [shown(1, opportunity_id=0, request_id=1), asked(1, request_id=1, opportunity_id=2),
              shown(1, opportunity_id=2, suggestion_id=3), accepted(1, suggestion_id=3), asked(1, opportunity_id=4)]  # fmt: skip
    for seed in range(5):
        assert months([asked(-1, opportunity_id=0), *upload], shuffle=Random(seed)) == [MARCH] * 5 + [APRIL]


def test_next_edits_are_known_by_their_opportunity() -> None:
    check = ("persistence_checks", 3, {"kind": "next_edit", "opportunity_id": 7})
    edits = [("outcomes", -1, {"kind": "next_edit", "opportunity_id": 7, "suggestion_id": 1}), check]
    assert months(edits) == [MARCH, MARCH]


def test_many_steps_are_walked_though_few_are_looked_ahead() -> None:
    chain = [asked(-1, request_id=0)]
    chain += [asked(0.1 * n, **{("request_id", "opportunity_id")[n % 2]: n // 2, ("request_id", "opportunity_id")[1 - n % 2]: (n - 1) // 2 if n % 2 else n // 2 - 1}) for n in range(1, 90)]  # fmt: skip
    expected = slowly(chain)
    assert expected.count(MARCH) > 2 * epochs._MOST_ROUNDS
    assert months(chain) == expected


def test_nothing_is_asked_for_where_no_row_is_early() -> None:
    recent = nothing_recent()
    recent.near_ids = None  # type: ignore[assignment,method-assign]
    told = [shown(-5, suggestion_id=1), shown(26 * 60, suggestion_id=1)]
    settled = settle_epochs(tables_of(enumerate(told)), recent, HORIZON)
    assert settled["displays"]["key_id"].to_pylist() == [MARCH, APRIL]
    assert landing().to_files("displays", settled["displays"].drop_columns(["is_primary"])).num_rows == 2


def slowly(told: list[Told]) -> list[str]:
    """The rule as it is written, row by row; rows of one moment until nothing changes."""
    found = [MARCH if minute < 0 else "" for _, minute, _ in told]
    horizon = HORIZON / timedelta(minutes=1)

    def ids(row: int) -> set[tuple[str, Any]]:
        return {(name, value) for name, value in told[row][2].items() if name != "kind"}

    def life(row: int) -> Any:
        dataset, _, named = told[row]
        if dataset not in ("displays", "outcomes", "persistence_checks", "redactions"):
            return None
        if named.get("kind") == "next_edit" and "opportunity_id" in named:
            return "opportunity_id", named["opportunity_id"]
        return ("suggestion_id", named["suggestion_id"]) if "suggestion_id" in named else None

    for moment in sorted({minute for _, minute, _ in told if minute >= 0}):
        group = [row for row, (_, minute, _) in enumerate(told) if minute == moment]
        near = [row for row, (_, minute, _) in enumerate(told) if moment - horizon <= minute < moment]
        grew = True
        while grew:
            grew = False
            for row in (r for r in group if not found[r] and moment < 24 * 60 + 30):
                former = set().union(*(ids(r) for r in [*near, *group] if found[r] == MARCH))
                own = {life(r) for r in near if found[r] == APRIL and life(r)}
                if ids(row) & former and not (life(row) in own and life(row) not in former):
                    found[row], grew = MARCH, True
        for row in group:
            found[row] = found[row] or APRIL
    return found


NAMED = st.fixed_dictionaries(
    {"kind": st.sampled_from(["ghost_text", "next_edit"])},
    optional={n: st.integers(0, 2) for n in ("suggestion_id", "opportunity_id", "request_id")},
)
TOLD = st.lists(
    st.tuples(st.sampled_from(["displays", "outcomes", "requests", "persistence_checks"]), st.integers(-40, 90), NAMED).map(
        lambda each: (each[0], each[1], {k: v for k, v in each[2].items() if k != "kind" or each[0] != "requests"})
    ),
    max_size=10,
)  # fmt: skip


@settings(max_examples=60)
@given(TOLD, st.sets(st.integers(-40, 90), max_size=4), st.randoms())
def test_neither_cuts_nor_orders_change_it_and_it_is_the_rule(told: list[Told], cuts: set[int], random: Random) -> None:
    expected = slowly(told)
    assert months(told) == expected
    assert months(told, cuts, random) == expected
