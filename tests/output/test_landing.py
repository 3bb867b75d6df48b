"""Files of two months have no id and no slot in common, and whoever has the ring reads both back as they were."""

import pickle
from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import KeyUnavailable
from schemas.registry import load
from tests.conftest import landing
from tests.support.facts import batch_of, fact
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.landing import Landing
from transforms.core.output.layout import Output
from transforms.core.output.order import sort_keys

IDS = ("event_id", "suggestion_id", "opportunity_id", "request_id", "superseded_by")
MONTHS = ("2026-03", "2026-04")
ROWS = st.lists(
    st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 3)), st.sampled_from(MONTHS), st.integers(0, 15)),
    min_size=1, max_size=8,
)  # fmt: skip
"""Event, opportunity, month of the key, slot."""


def outcomes(rows: list[tuple[int, int | None, str, int | None]]) -> pa.Table:
    made = []
    for number, (event, opportunity, month, slot) in enumerate(rows):
        other = None if opportunity is None else f"{opportunity:032x}"
        values = {"event_id": f"{event:032x}", "opportunity_id": other, "superseded_by": other, "key_id": month}
        made.append(fact("outcomes", 0, number, slot_code=slot, outcome="accepted", **values)[1])
    return pa.Table.from_batches([batch_of("outcomes", made)])


def in_order(table: pa.Table) -> list[dict]:
    return sorted(table.to_pylist(), key=lambda row: row["received_at"])


@given(ROWS)
def test_what_lands_is_read_back_as_it_was(rows: list) -> None:
    table = outcomes(rows)
    files = landing().to_files("outcomes", table)
    assert in_order(landing().from_files("outcomes", files)) == in_order(table)
    for name in set(table.column_names) - {*IDS, "slot_code"}:
        assert [row[name] for row in in_order(files)] == [row[name] for row in in_order(table)]
    assert files.sort_by([(name, "ascending") for name in sort_keys("outcomes")]) == files


@given(ROWS)
def test_ids_are_equal_in_files_where_they_are_equal_and_of_one_month(rows: list) -> None:
    table, files = in_order(outcomes(rows)), in_order(landing().to_files("outcomes", outcomes(rows)))
    for name in IDS:
        pairs = {(row["key_id"], row[name], landed[name]) for row, landed in zip(table, files, strict=True)}
        assert all((before is None) == (after is None) for _, before, after in pairs)
        pairs = {pair for pair in pairs if pair[1] is not None}
        assert len({(month, before) for month, before, _ in pairs}) == len({after for *_, after in pairs}) == len(pairs)
        assert not {before for _, before, _ in pairs} & {after for *_, after in pairs}


def test_domains_do_not_meet() -> None:
    (row,) = landing().to_files("outcomes", outcomes([(1, 1, "2026-03", 0)])).to_pylist()
    assert row["event_id"] != row["opportunity_id"] == row["superseded_by"]


def test_months_before_the_first_one_land_as_they_are() -> None:
    table = outcomes([(1, 1, "2026-03", 0), (1, 1, "2026-04", 0)])
    before, after = in_order(landing("2026-04").to_files("outcomes", table))
    assert (before["event_id"], before["opportunity_id"]) == (f"{1:032x}", f"{1:032x}")
    assert after["event_id"] not in (f"{1:032x}", in_order(landing().to_files("outcomes", table))[0]["event_id"])
    assert in_order(landing("2026-04").from_files("outcomes", pa.Table.from_pylist([before, after]))) == in_order(table)


def slots_of(count: int, person: int) -> list[int]:
    rows = [(1000 * person + number, None, "2026-03", 7) for number in range(count)]
    found: list[int] = landing().to_files("outcomes", outcomes(rows))["slot_code"].to_pylist()
    return found


def test_a_slot_tells_nothing_in_files() -> None:
    counts = Counter(slots_of(1600, 1))
    assert set(counts) == {*range(16)}
    assert max(counts.values()) < 160, "a slot of all rows would be found 1600 times"
    assert slots_of(50, 1) != slots_of(50, 2)


def test_a_slot_of_a_suggestion_is_masked_by_its_own_id() -> None:
    moment = datetime(2026, 3, 29, tzinfo=UTC)
    rows = [{"suggestion_id": s, "opportunity_id": o, "key_id": "2026-03", "slot_code": 3,
             "first_received_at": moment + timedelta(seconds=n)}
            for n, (s, o) in enumerate([(f"{n:032x}", None) for n in range(50)] + [(None, f"{n:032x}") for n in range(50)])]  # fmt: skip
    table = pa.Table.from_batches([batch_of("suggestions", rows)])
    files = landing().to_files("suggestions", table)
    assert len({*files["slot_code"].to_pylist()}) > 10
    back = landing().from_files("suggestions", files)
    assert {*back["slot_code"].to_pylist()} == {3}
    assert {*back["suggestion_id"].to_pylist()} == {*table["suggestion_id"].to_pylist()}


def test_a_payload_in_quarantine_has_no_month_and_a_masked_slot() -> None:
    rows = [{"payload_id": f"{n:032x}", "slot_code": 5, "received_at": None} for n in range(60)]
    files = landing().to_files("quarantine", pa.Table.from_batches([batch_of("quarantine", rows)]))
    assert {*files["payload_id"].to_pylist()} == {row["payload_id"] for row in rows}
    assert len({*files["slot_code"].to_pylist()}) > 10
    assert {*landing().from_files("quarantine", files)["slot_code"].to_pylist()} == {5}


def test_rows_without_a_slot_keep_none() -> None:
    files = landing().to_files("outcomes", outcomes([(1, 1, "2026-03", None), (2, 1, "2026-03", 4)]))
    assert in_order(files)[0]["slot_code"] is None
    assert [r["slot_code"] for r in in_order(landing().from_files("outcomes", files))] == [None, 4]


def test_of_a_month_whose_key_is_gone_nothing_lands_and_nothing_is_understood(ring: KeyRing) -> None:
    table = outcomes([(1, 1, "2026-03", 2), (1, 1, "2026-04", 2)])
    files = landing().to_files("outcomes", table)
    keys = step_keys_of(ring).landing
    poorer = Landing(type(keys)({m: k for m, k in keys.id_keys.items() if m != "2026-03"}, keys.slot_key), "", 16)
    gone, known = in_order(poorer.from_files("outcomes", files))
    assert known["event_id"] == f"{1:032x}"
    assert gone["event_id"] == in_order(files)[0]["event_id"]
    assert gone["slot_code"] == known["slot_code"] == 2, "where a row belongs is asked after its month is gone"
    with pytest.raises(KeyUnavailable, match="no key for epoch 2026-03: rows of it cannot land"):
        poorer.to_files("outcomes", table)


def test_another_ring_reads_neither_ids_nor_slots() -> None:
    table = outcomes([(n, 1, "2026-03", 2) for n in range(40)])
    ring = KeyRing(b"c" * 32, b"t" * 32)
    ring.add_month("2026-03")
    found = Landing(step_keys_of(ring).landing, "", 16).from_files("outcomes", landing().to_files("outcomes", table))
    assert not {*found["event_id"].to_pylist()} & {*table["event_id"].to_pylist()}
    assert len({*found["slot_code"].to_pylist()}) > 5


@pytest.mark.parametrize(
    ("asked", "needed"),
    [
        (["received_at"], {"received_at"}),
        (["event_id"], {"event_id", "key_id"}),
        (["installation_id", "slot_code"], {"installation_id", "slot_code", "slot", "event_id", "suggestion_id", "opportunity_id", "key_id"}),
    ],
)  # fmt: skip
def test_only_what_is_needed_to_understand_columns_is_read_with_them(asked: list[str], needed: set[str]) -> None:
    found = landing().needed("displays", asked)
    assert found[: len(asked)] == asked
    assert {*found} == needed


def test_rows_of_every_dataset_come_back(tmp_path: object) -> None:
    empty = landing().to_files("displays", load("displays").arrow.empty_table())
    assert empty.num_rows == landing().from_files("displays", empty).num_rows == 0
    made = Landing.of(Output(f"{tmp_path}"), landing()._keys)
    table = outcomes([(1, 2, "2026-03", 1)])
    assert made.to_files("outcomes", table).equals(landing().to_files("outcomes", table))
    assert pc.all(made.from_files("outcomes", made.to_files("outcomes", table))["event_id"].is_valid()).as_py()


def test_it_is_never_pickled() -> None:
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(landing())
