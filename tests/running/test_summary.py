"""What is said of books, and when a share of what belongs to nothing is a warning."""

from collections import Counter

import pytest

from pipelines.options.flags import share
from pipelines.running.summary import describe, unjoined_warning
from transforms.core.output.books import Books


def books(lost: int, facts: int = 1000) -> Books:
    rows = Counter({"displays": facts - 2, "outcomes": 1, "persistence_checks": 1, "requests": 99_999})
    return Books(rows=rows, unjoined=Counter({"outcomes/next_edit/no_id": lost} if lost else {}))


@pytest.mark.parametrize(("lost", "most", "warns"), [(0, "0%", False), (1, "0%", True), (10, "1%", False), (11, "1%", True), (11, "0.02", False)])  # fmt: skip
def test_more_than_the_share_is_a_warning(lost: int, most: str, warns: bool) -> None:
    warning = unjoined_warning(books(lost), share(most))
    assert (warning is not None) == warns
    if warning:
        assert f"{lost} of 1000" in warning
        assert f"--max_unjoined {most}" in warning


def test_what_belongs_to_nothing_is_told_by_kind_and_reason() -> None:
    assert "belong to no suggestion: 3 (outcomes/next_edit/no_id 3)" in describe(books(3))
    assert "belong to no suggestion" not in describe(books(0))
