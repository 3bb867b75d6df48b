"""Figures: each is named once, is made of those before it, and comes alone as it comes among all."""

import re

from pipelines.rates.arms import COLUMNS
from pipelines.rates.counts import FIGURES, counted, needed
from pipelines.rates.facts import DIMENSIONS, gather_facts
from pipelines.rates.kinds import ANY, KINDS
from pipelines.rates.tables import opened
from schemas.registry import load
from transforms.core.output.layout import Output

NAMES = [figure.name for figure in FIGURES]


def test_names_are_unique_and_formulas_name_figures_that_stand_before_them() -> None:
    assert len({*NAMES}) == len(NAMES)
    for place, figure in enumerate(FIGURES):
        if not figure.kinds:
            words = {*re.findall(r"[a-z_]\w*", figure.formula)} - {"nullif", "coalesce"}
            assert words
            assert words <= {*NAMES[:place]}, figure


def test_columns_of_acceptance_are_figures_in_their_order() -> None:
    others = (*DIMENSIONS, "kind", "merged_dimensions", "privacy_epsilon", "publication")
    columns = [n for n in load("acceptance").arrow.names if n not in others and not n.endswith("_se")]
    assert columns == [name for name in NAMES if name in columns]
    parts = {*NAMES} - {*columns}
    assert all(re.fullmatch(r"(mostly_)?unchanged_\d+s|(four_gram|no_revert)_kept_\d+s", name) for name in parts)


def test_a_kind_has_no_figure_of_a_method_that_is_not_its_own() -> None:
    kinds = {figure.name: figure.kinds for figure in FIGURES if figure.kinds}
    assert all({*k} <= {*KINDS, ANY} for k in kinds.values())
    assert kinds["observed_30s"] == ("ghost_text",)
    assert not {"ghost_text", ANY} & {*kinds["four_gram_observed_30s"], *kinds["no_revert_observed_30s"]}
    assert {*kinds["requests"], *kinds["errors"], *kinds["redactions"]} == {ANY}


def test_what_a_figure_needs_is_all_that_it_is_made_of() -> None:
    of_hide_rate = ["shown", "rejected", "dismissed", "typed_over", "hidden", "hide_rate"]
    assert [f.name for f in needed(["hide_rate"])] == of_hide_rate
    assert [f.name for f in needed(["shown"])] == ["shown"]
    assert needed(NAMES) == FIGURES


def test_figures_that_arms_are_compared_by_can_be_asked_for_alone() -> None:
    with opened(Output("/nonexistent")) as connection:
        gather_facts(connection)
        connection.execute("insert into facts by name select 'ghost_text' as kind, 'x' as installation_id, "
                           "true as is_shown, true as is_counted, 'rejected' as outcome, false as is_disagreed")  # fmt: skip
        asked = counted("facts", {"kind": "kind"}, figures=needed(COLUMNS))
        alone, among = (connection.sql(q).to_arrow_table() for q in (asked, counted("facts", {"kind": "kind"})))
    assert COLUMNS <= {*alone.column_names} < {*among.column_names}
    assert alone.to_pylist() == among.select(alone.column_names).to_pylist()
    assert alone.to_pylist()[0]["hidden"] == 1


def test_absurd_numbers_of_characters_do_not_stop_the_count() -> None:
    with opened(Output("/nonexistent")) as connection:
        gather_facts(connection)
        connection.execute(f"insert into facts by name select 'ghost_text' as kind, true as is_accepted, {2**62} as chars "
                           "from range(5)")  # fmt: skip
        (row,) = connection.sql(counted("facts", {"kind": "kind"})).to_arrow_table().to_pylist()
    assert row["accepted_chars"] == 2**63 - 1
