"""The record of what has expired: which files it covers, kept whole, refused where it is damaged."""

from datetime import date
from pathlib import Path

import pytest

from schemas.errors import StorageRefused
from transforms.core.output.expired import Expired, read_expired
from transforms.core.output.layout import Output
from transforms.core.times import UNKNOWN_DATE

LAST = date(2026, 3, 29)
FUTURE = date(2070, 1, 1)


def record() -> Expired:
    return Expired(
        through={"errors": LAST},
        inputs={("quarantine", FUTURE, "a"), ("quarantine", UNKNOWN_DATE, "b")},
    )


@pytest.mark.parametrize(
    ("dataset", "day", "of_input", "is_covered"),
    [
        ("errors", LAST, "a", True),
        ("errors", date(2026, 3, 30), "a", False),
        ("errors", UNKNOWN_DATE, "a", False),
        ("displays", LAST, "a", False),
        ("quarantine", FUTURE, "a", True),
        ("quarantine", FUTURE, "b", False),
        ("quarantine", UNKNOWN_DATE, "b", True),
    ],
)
def test_what_it_covers(dataset: str, day: date, of_input: str, is_covered: bool) -> None:
    assert record().covers(dataset, day, of_input) == is_covered


def test_it_is_read_as_it_was_saved_and_the_same_gives_the_same_bytes(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    assert read_expired(output) == Expired()
    record().save(output)
    saved = (tmp_path / "_expired" / "record.json").read_bytes()
    found = read_expired(output)
    assert found == record()
    found.save(output)
    assert (tmp_path / "_expired" / "record.json").read_bytes() == saved


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 9}', '{"through": {"errors": "soon"}}'])
def test_a_damaged_or_later_one_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "_expired").mkdir()
    (tmp_path / "_expired" / "record.json").write_text(content)
    with pytest.raises(StorageRefused, match=r"is damaged|is of version 9"):
        read_expired(Output(str(tmp_path)))


def test_figures_lack_something_where_any_of_their_datasets_has_expired() -> None:
    assert record().takes_from(["displays", "errors"], LAST)
    assert not record().takes_from(["displays"], LAST)
    assert not record().takes_from(["errors"], date(2026, 3, 30))


def test_one_of_an_older_version_that_was_cut_off_is_read(tmp_path: Path) -> None:
    (tmp_path / "_expired").mkdir()
    old = '{"version": 1, "through": {"errors": "2026-03-29"}, "inputs": [], "pending": {"checksum": "c0ffee"}}'
    (tmp_path / "_expired" / "record.json").write_text(old)
    assert read_expired(Output(str(tmp_path))) == Expired(through={"errors": LAST})
