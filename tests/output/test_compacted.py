"""The record of compacted days: what it accounts for, what it finds, and names that are functions of what was."""

from datetime import date
from pathlib import Path

import pytest

from schemas.errors import InvalidOptions, StorageRefused
from transforms.core.output.compacted import (
    Compacted,
    Held,
    Merged,
    Rows,
    compacted_names,
    follow,
    is_compacted,
    save_day,
    set_rows,
)
from transforms.core.output.expired import Expired
from transforms.core.output.layout import FileName, Output, parse_name
from transforms.core.shuffle.windows import window_end_s

DAY, OTHER = date(2026, 3, 29), date(2026, 3, 30)
A, B = FileName("a" * 16, 0, 4), FileName("b" * 16, 1, 4)
(INTO,) = compacted_names("displays", DAY, [str(A), str(B)], 1)
MERGED = Merged(of={str(A): 2, str(B): 3}, into={str(INTO): 5})


@pytest.fixture
def output(tmp_path: Path) -> Output:
    output = Output(str(tmp_path))
    save_day(output, DAY, {"displays": MERGED})
    return output


def test_what_is_saved_is_read(output: Output) -> None:
    compacted = Compacted(output)
    assert compacted.days == [DAY]
    assert compacted.of_day(DAY) == {"displays": MERGED}
    assert compacted.of_day(OTHER) == {}
    assert compacted.holds(DAY, A.input)
    assert not compacted.holds(OTHER, A.input)
    assert not compacted.holds(DAY, "c" * 16)


def test_names_follow_from_what_publishing_wrote() -> None:
    assert is_compacted(INTO)
    assert not is_compacted(A)
    assert parse_name(str(INTO)) == INTO
    assert compacted_names("displays", DAY, [str(B), str(A)], 1) == [INTO]
    others = [
        compacted_names("errors", DAY, [str(A), str(B)], 1), compacted_names("displays", OTHER, [str(A), str(B)], 1),
        compacted_names("displays", DAY, [str(A)], 1), compacted_names("displays", DAY, [str(A), str(B)], 2),
    ]  # fmt: skip
    assert len({name.input for names in others for name in names} | {INTO.input}) == 6
    assert [(n.bucket, n.buckets) for n in others[-1]] == [(0, 1), (0, 1)]
    assert all(INTO.may_hold(bucket, 4) for bucket in range(4))
    assert INTO.may_hold_others(4)
    assert window_end_s(INTO.input, "compacted") is None


def held(**files: int) -> Held:
    """What the ledger expects of two files, and files that hold so many rows."""
    expected: Rows = {(DAY, A): {"displays": 2, "errors": 1}, (DAY, B): {"displays": 3}}
    names = {"into": INTO, "a": A, "b": B}
    return Held(expected, {(DAY, names[name]): {"displays": rows} for name, rows in files.items()})


def test_what_it_accounts_for_is_taken_out(output: Output) -> None:
    found = held(into=5)
    assert list(follow(Compacted(output), Expired(), found, None, None)) == []
    assert found.expected == {(DAY, A): {"errors": 1}, (DAY, B): {}}
    assert found.found == {}


@pytest.mark.parametrize("files", [{}, {"into": 4}, {"a": 2, "b": 3}, {"a": 2}])
def test_a_file_that_differs_is_told(output: Output, files: dict[str, int]) -> None:
    (line,) = follow(Compacted(output), Expired(), held(**files), None, None)
    assert line.startswith(f"displays/received_date={DAY}: was compacted into rows")


@pytest.mark.parametrize(
    ("files", "is_right"),
    [({"a": 2, "b": 3}, True), ({"into": 5}, True), ({"into": 5, "a": 2}, True), ({"a": 2, "b": 3, "into": 5}, True),
     ({"a": 2}, False), ({"into": 4, "a": 2}, False)],
)  # fmt: skip
def test_while_it_is_cut_off_the_old_or_the_new_files_are_right(
    output: Output, files: dict[str, int], is_right: bool
) -> None:
    save_day(output, DAY, {"displays": Merged(of=MERGED.of, into=MERGED.into, before=MERGED.of)})
    found = held(**files)
    assert (list(follow(Compacted(output), Expired(), found, None, None)) == []) is is_right
    assert found.found == {}


def test_a_ledger_that_says_otherwise_is_told(output: Output) -> None:
    found = held(into=5)
    found.expected[DAY, B]["displays"] = 7
    (line,) = follow(Compacted(output), Expired(), found, None, None)
    assert line == f"displays/received_date={DAY}/{B}: was compacted with 3 rows, the ledger says 7"


def test_of_one_input_only_its_own_rows_are_looked_at(output: Output) -> None:
    found = Held({(DAY, A): {"displays": 2}}, {})
    assert list(follow(Compacted(output), Expired(), found, A.input, [DAY, OTHER])) == []
    assert found.expected == {(DAY, A): {}}


def test_what_has_expired_is_no_matter(output: Output) -> None:
    found = Held({}, {})
    assert list(follow(Compacted(output), Expired(through={"displays": DAY}), found, None, None)) == []


def test_rows_that_were_erased_are_noted_once(output: Output) -> None:
    for _ in range(2):
        set_rows(output, DAY, "displays", INTO, 4)
        assert list(follow(Compacted(output), Expired(), held(into=4), None, None)) == []
    assert list(follow(Compacted(output), Expired(), held(into=5), None, None)) != []
    set_rows(output, DAY, "displays", INTO, 0)
    assert list(follow(Compacted(output), Expired(), held(), None, None)) == []


def test_an_input_keeps_its_number_of_buckets(output: Output) -> None:
    Compacted(output).check_buckets(A.input, [DAY, OTHER], 4)
    Compacted(output).check_buckets("c" * 16, [DAY], 8)
    Compacted(output).check_buckets(A.input, [OTHER], 8)
    with pytest.raises(InvalidOptions, match="it was read with 4; leave the flag out"):
        Compacted(output).check_buckets(A.input, [DAY], 8)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"datasets": {}, "version": 9}', '{"datasets": {"a": {}}}'])
def test_a_damaged_or_later_one_is_refused(output: Output, content: str) -> None:
    Path(output.beside("_compacted", f"{DAY}.json")).write_text(content)
    with pytest.raises(StorageRefused, match=r"is damaged|is of version 9"):
        Compacted(output).of_day(DAY)
