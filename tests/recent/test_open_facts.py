"""What comes up and what is let go of, against plain lists of what was kept."""

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.facts import batch_of, fact
from transforms.core.recent.open_facts import OpenFacts, plain_schema
from transforms.core.suggestions.facts import micros
from transforms.core.suggestions.life_ids import with_life_ids
from transforms.core.suggestions.rows import ATTACHED, FACTS
from transforms.core.times import micros_of

OWNER = st.one_of(st.none(), st.sampled_from("56"))
ROWS = st.lists(
    st.tuples(st.sampled_from(["displays", "outcomes", "redactions"]), OWNER, OWNER, st.integers(0, 50)), max_size=6
)
CALLS = st.one_of(
    st.tuples(st.just("keep"), ROWS),
    st.tuples(st.just("attach"), ROWS),
    st.tuples(st.just("come up"), st.tuples(st.lists(st.sampled_from("56"), max_size=2), st.integers(0, 60))),
    st.tuples(st.just("let go"), st.integers(0, 60)),
)
UNTIL_S = 1000


def row(number: int, told: Any) -> dict[str, Any]:
    dataset, suggestion, request, second = told
    ids = {
        name: None if key is None else key * 32
        for name, key in (("suggestion_id", suggestion), ("request_id", request))
    }
    return fact(dataset, number, second, **ids)[1]


def at_us(second: int) -> int:
    return micros_of(fact("displays", 0, second)[1]["received_at"])


def attached_batch(dataset: str, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return batch_of(dataset, rows).select(list(ATTACHED[dataset])).cast(plain_schema(dataset, ATTACHED[dataset]))


def ids(batch: pa.RecordBatch) -> list[str]:
    return sorted(batch["event_id"].to_pylist())


@settings(max_examples=60)
@given(st.lists(CALLS, max_size=10))
def test_any_calls_against_lists(calls: list[Any]) -> None:
    """Due is a fact's own time here; attached are redactions, which an open fact of their suggestion or request holds."""
    kept, facts, attached, number = OpenFacts(), list[tuple[str, dict]](), list[dict](), 0
    for call, told in calls:
        if call == "keep":
            for each in told:
                number += 1
                made = row(number, each)
                batch = with_life_ids(batch_of(each[0], [made]))
                kept.facts[each[0]].add(batch, micros(batch["received_at"]))
                facts.append((each[0], made))
        elif call == "attach":
            rows = [row(number + n + 1, ("redactions", *each[1:])) for n, each in enumerate(told)]
            number += len(rows)
            kept.add_attached({"redactions": attached_batch("redactions", [{**r, "category": "x"} for r in rows])})
            attached += [{**r, "due_us": micros_of(r["received_at"])} for r in rows]
        elif call == "come up":
            own, clock = [key * 32 for key in told[0]], at_us(told[1])
            due = [r["suggestion_id"] for _, r in facts if micros_of(r["received_at"]) < clock]
            wanted = {*own, *(key for key in due if key is not None)}
            up = [(d, r) for d, r in facts if r["suggestion_id"] in wanted or micros_of(r["received_at"]) < clock]
            found = kept.come_up(pa.array(own, pa.string()), clock)
            assert {d: ids(batch) for d, batch in found.items()} == {
                d: sorted(r["event_id"] for of, r in up if of == d) for d in FACTS
            }
            facts = [pair for pair in facts if pair not in up]
        else:
            kept.let_go(at_us(told), at_us(UNTIL_S))
            owners = {name: {r[name] for _, r in facts} - {None} for name in ("suggestion_id", "request_id")}
            for r in attached:
                if r["due_us"] < at_us(told):
                    is_needed = any(r[name] in found for name, found in owners.items())
                    r["due_us"] = at_us(UNTIL_S) if is_needed else None
            attached = [r for r in attached if r["due_us"] is not None]
        assert sum(len(store) for store in kept.facts.values()) == len(facts)
        assert len(kept.attached["redactions"]) == len(attached)


def test_rows_of_any_owner_of_a_fact_are_found_and_stay() -> None:
    kept = OpenFacts()
    rows = [row(n, ("redactions", *owners, 0)) | {"category": "x"} for n, owners in enumerate(["5", "x3", "x4", "6"])
            for owners in [(owners, None) if len(owners) == 1 else (None, owners[1])]]  # fmt: skip
    kept.add_attached({"redactions": attached_batch("redactions", rows)})
    facts = {"displays": batch_of("displays", [fact("displays", 9, 0, suggestion_id="5" * 32, request_id="3" * 32)[1]])}
    for _ in range(2):
        assert ids(kept.of_owners(facts)["redactions"]) == [f"{n:032x}" for n in (0, 1)]


def test_what_is_needed_is_looked_at_again_later() -> None:
    """A redaction of an open suggestion stays, and goes once the suggestion is over."""
    kept = OpenFacts()
    kept.add_attached(
        {"redactions": attached_batch("redactions", [row(1, ("redactions", "5", None, 0)) | {"category": "x"}])}
    )
    display = with_life_ids(batch_of("displays", [row(2, ("displays", "5", None, 0))]))
    kept.facts["displays"].add(display, np.array([at_us(30)]))
    kept.let_go(at_us(10), at_us(50))
    assert len(kept.attached["redactions"]) == 1
    kept.come_up(pa.array([], pa.string()), at_us(31))
    kept.let_go(at_us(50), at_us(90))
    assert len(kept.attached["redactions"]) == 1, "it was told to stay until then"
    kept.let_go(at_us(51), at_us(90))
    assert len(kept.attached["redactions"]) == 0


def test_next_edits_come_up_by_their_opportunity_and_hold_what_is_attached_to_it() -> None:
    kept, opportunity = OpenFacts(), {"kind": "next_edit", "opportunity_id": "7" * 32}
    told = fact("outcomes", 1, 0, **opportunity, suggestion_id="8" * 32, outcome="accepted")[1]
    check = fact("persistence_checks", 2, 0, **opportunity, suggestion_id=None)[1]
    for name, made in (("outcomes", told), ("persistence_checks", check)):
        kept.facts[name].add(with_life_ids(batch_of(name, [made])), np.array([at_us(30)]))
    twin = fact("endings", 3, 0, opportunity_id="7" * 32, suggestion_id=None, event_name="provideInlineEdit")[1]
    kept.add_attached({"endings": attached_batch("endings", [twin])})
    kept.let_go(at_us(10), at_us(50))
    assert len(kept.attached["endings"]) == 1
    found = kept.come_up(pa.array(["7" * 32]), at_us(0))
    assert {name: ids(rows) for name, rows in found.items() if rows.num_rows} == {
        "outcomes": [f"{1:032x}"], "persistence_checks": [f"{2:032x}"],
    }  # fmt: skip


def test_columns_are_plain() -> None:
    for dataset in FACTS:
        schema = plain_schema(dataset)
        assert all(field.nullable and not field.metadata for field in schema)
        assert not schema.metadata
