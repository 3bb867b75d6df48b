"""Tables: columns without values are left out, and each word that is left is explained."""

import re
from pathlib import Path

import pytest

from pipelines.reporting import tables, texts
from pipelines.reporting.tables import Column, figured, left_out, most_of_each_kind, shown, survival_rows
from transforms.core.output.books import Books

A, B = Column("a", "a", texts.number), Column("b", "b", texts.number)


def test_columns_without_values_are_left_out_and_nothings_are_values() -> None:
    assert shown([{"a": None, "b": 0}, {"a": None, "b": None}], (A, B)) == [B]
    assert shown([], (A, B)) == []
    known = tables.KNOWN[0]
    assert shown([{known.name: 0}], (known,)) == []
    assert shown([{known.name: 1}], (known,)) == [known]


@pytest.mark.parametrize("columns", [tables.KINDS, tables.BY_DIMENSION, tables.PERSISTENCE, tables.LATENCY])
def test_every_head_that_is_no_plain_count_is_explained(columns: tuple[Column, ...]) -> None:
    plain = {"shown", "editor, median", "editor, 95 %", "decision, median", "decision, 95 %"}
    assert {c.head.replace("\N{NO-BREAK SPACE}", " ") for c in columns if not c.means} <= plain
    assert len({c.head for c in columns}) == len(columns)


def test_every_count_of_the_ledger_that_the_page_tables_is_explained() -> None:
    template = Path(tables.__file__).with_name("report.html.j2").read_text()
    tabled = {*re.findall(r'counted\("(\w+)"', template)}
    assert tabled == {*tables.MEANINGS} <= {*vars(Books())}


def test_rows_are_cut_kind_by_kind_and_told_how_many_were() -> None:
    rows = [{"kind": kind, "n": n} for kind, count in (("x", 4), ("y", 1)) for n in range(count)]
    assert [(r["kind"], r["n"]) for r in most_of_each_kind(rows, 2)] == [("x", 0), ("x", 1), ("y", 0)]
    assert left_out(rows, 2) == {"x": 2}


def test_values_are_text_in_the_names_of_figures() -> None:
    ((row,),) = [figured([{"value": "{kind}", "kind": "k", "a": 1}], "by.{kind}.{name}.{value}", (A,))]
    assert row["figures"] == {"a": "by.k.a.{kind}"}


def test_methods_of_which_nothing_was_due_have_no_row() -> None:
    states = [f"{m}_{s}_30s" for m in ("four_gram", "no_revert", "retained") for s in ("observed", "unobserved")]
    row = {**dict.fromkeys(states), "four_gram_observed_30s": 0, "four_gram_unobserved_30s": 2}
    assert survival_rows({"x": row, "y": dict.fromkeys(states, 0)}, (30,)) == [("x", "four_gram")]


def test_what_is_not_drawn_is_told() -> None:
    rows = [{"period": "(merged)", "volume": 18, "acceptance_rate": 0.5}, {"period": "2026-03-29"}]
    assert tables.put_together(rows) == " Not drawn, as too few installations were seen: 50.0% of 18."
    assert tables.put_together(rows[1:]) == ""
