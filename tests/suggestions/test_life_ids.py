"""The id under which a life is looked for."""

import pyarrow as pa
import pytest

from tests.support.facts import batch_of, fact
from transforms.core.suggestions.life_ids import LIFE_ID, is_ghost_text, life_ids, with_life_ids


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"kind": "ghost_text", "suggestion_id": "s", "opportunity_id": "o"}, "s"),
        ({"kind": None, "suggestion_id": "s", "opportunity_id": "o"}, "s"),
        ({"kind": "agent_edit", "suggestion_id": "s", "opportunity_id": None}, "s"),
        ({"kind": "next_edit", "suggestion_id": "s", "opportunity_id": "o"}, "o"),
        ({"kind": "next_edit", "suggestion_id": None, "opportunity_id": "o"}, "o"),
        ({"kind": "next_edit", "suggestion_id": "s", "opportunity_id": None}, "s"),
        ({"kind": None, "suggestion_id": None, "opportunity_id": "o"}, None),
    ],
)
def test_a_next_edit_is_found_by_its_opportunity_and_all_else_by_itself(values: dict, expected: str | None) -> None:
    others = fact("outcomes", 1, 0, kind="next_edit", opportunity_id="other")[1]
    rows = batch_of("outcomes", [fact("outcomes", 2, 0, **values)[1], others])
    assert life_ids(rows).to_pylist() == [expected, "other"]
    assert with_life_ids(rows)[LIFE_ID].to_pylist() == [expected, "other"]
    assert life_ids(rows.slice(0, 1)).to_pylist() == [expected]


def test_redactions_have_no_kind() -> None:
    assert life_ids(batch_of("redactions", [fact("redactions", 1, 0)[1]])).to_pylist() == ["5" * 32]


def test_what_has_no_kind_is_ghost_text() -> None:
    assert is_ghost_text(pa.array(["ghost_text", None, "next_edit"])).to_pylist() == [True, True, False]
