"""The ledger balances, or it is said where it does not: against outputs that were damaged on purpose."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StorageUnavailable
from tests.conftest import run_batch, sample, write_lines
from tests.support.marks import STREAM, write_mark
from transforms.core.output.input_list import unread_of_all
from transforms.core.output.layout import LEDGER, FileName, Output
from transforms.core.output.ledger import (
    Mark,
    differences,
    imbalances,
    is_quiet,
    mark_files,
    read_marks,
    read_row,
    strangers,
    total,
)
from transforms.core.shuffle.windows import Window


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output of two inputs and two days."""
    folder = tmp_path_factory.mktemp("ledger")
    for number, day in enumerate(("2026-03-30", "2026-03-31")):
        shown = sample()
        shown["collector"]["received_at"] = f"{day}T12:00:00Z"
        shown["data"]["baseData"]["properties"]["headerRequestId"] = f"00000000-0000-4000-8000-00000000000{number}"
        write_lines(folder / f"{number}.ndjson", [shown, b"{"])
        run_batch(folder / f"{number}.ndjson", folder / "out")
    return folder / "out"


@pytest.fixture
def output(whole: Path, tmp_path: Path) -> Output:
    shutil.copytree(whole, tmp_path / "out")
    return Output(str(tmp_path / "out"))


def problems(output: Output) -> list[str]:
    marks = read_marks(output)
    return [*imbalances(marks), *differences(output, marks), *strangers(output), *unread_of_all(output, marks)]


def test_a_whole_output_balances(output: Output) -> None:
    assert problems(output) == []
    marks = read_marks(output)
    assert total(marks).events == total(marks).accounted == 4
    inputs = {mark.name.input for mark in marks}
    assert len(inputs) == 2
    for source in inputs:
        assert total(read_marks(output, source)).events == 2
        assert list(differences(output, read_marks(output, source), source)) == []


def first(output: Output, dataset: str) -> Path:
    return Path(next(output.listing().files(dataset)).path)


def twice(path: Path) -> None:
    table = pq.read_table(path, partitioning=None)
    pq.write_table(pa.concat_tables([table, table]), path)


DAMAGE: dict[str, tuple[Callable[[Output], object], str]] = {
    "file gone": (lambda o: first(o, "quarantine").unlink(), "ledger says rows"),
    "rows doubled": (lambda o: twice(first(o, "quarantine")), "ledger says rows"),
    "file too many": (
        lambda o: shutil.copy(first(o, "quarantine"), first(o, "quarantine").with_name(f"{'f' * 16}-0000.parquet")),
        "files without a ledger row",
    ),
    "file of another name": (
        lambda o: shutil.copy(first(o, "quarantine"), first(o, "quarantine").with_name("more.parquet")),
        "more.parquet: not a file of this system",
    ),
    "file on another day": (
        lambda o: shutil.move(first(o, "quarantine"), Path(o.partition("errors", date(2026, 3, 30))).parent),
        "ledger says rows",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_told_with_its_place(output: Output, damage: str) -> None:
    if damage == "file on another day":
        Path(output.beside("errors")).mkdir(exist_ok=True)
    DAMAGE[damage][0](output)
    found = problems(output)
    assert found
    assert any(DAMAGE[damage][1] in line for line in found), found
    assert all("\n" not in line for line in found)


def test_each_ledger_row_that_is_missing_is_told(output: Output) -> None:
    """Also one of a day on which all was duplicate: its events go with it, but not the payloads that ranges tell of."""
    for mark in read_marks(output):
        path = Path(output.file(LEDGER, mark.day, mark.name))
        kept = path.read_bytes()
        path.unlink()
        assert problems(output), mark
        path.write_bytes(kept)


def test_events_that_nobody_accounts_for(output: Output) -> None:
    marks = read_marks(output)
    lost = [Mark(m.day, m.name, {**m.row, "events": m.row["events"] + (n == 0)}) for n, m in enumerate(marks)]
    (line,) = imbalances(lost)
    assert f"received_date={marks[0].day} input={marks[0].name.input}" in line


def test_a_mark_that_went_while_it_was_read_is_none_and_one_that_cannot_be_read_is_an_error(output: Output) -> None:
    """The mark of a quiet span is replaced by a longer one; a reader may have listed the old name."""
    path = first(output, LEDGER)
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(Exception, match=r".") as told:
        read_row(str(path))
    assert not isinstance(told.value, KeyError)
    path.unlink()
    assert read_row(str(path)) is None
    path.mkdir()
    with pytest.raises(StorageUnavailable):
        read_row(str(path))


SPANS = st.lists(st.integers(1, 40), min_size=1, max_size=8, unique=True).map(sorted)


@given(SPANS, st.integers(-1, 41))
def test_marks_of_later_windows(tmp_path_factory: pytest.TempPathFactory, ends: list[int], after: int) -> None:
    """Of windows that end every three hours, over some days; only the row of the mark's own day is the mark."""
    output = Output(str(tmp_path_factory.mktemp("marks")))
    base_s, step_s = 1_774_915_200, 3 * 3600
    for end in ends:
        window = Window(STREAM, base_s, base_s + end * step_s)
        write_mark(output, window, 0)
        other = output.file(LEDGER, date(2026, 5, 5), FileName(window.name, 0))  # a row about late events of a day
        Path(other).parent.mkdir(parents=True, exist_ok=True)
        Path(other).touch()
    after_s = base_s + after * step_s if after >= 0 else -1
    found = [end_s for _, end_s in mark_files(STREAM, output.listing(), after_s)]
    assert found == [base_s + end * step_s for end in ends if end > after]
    assert list(mark_files("another", output.listing(), -1)) == []


@pytest.mark.parametrize(
    ("more", "quiet"),
    [({}, True), ({"window_events": 1}, False), ({"window_accounted": 1}, False), ({"window_rows": 2}, False),
     ({"positions_end": [("0", 3)]}, False), ({"lost_messages": []}, True)],
    ids=str,
)  # fmt: skip
def test_quiet_is_where_nothing_came_and_nothing_became_of_it(tmp_path: Path, more: dict, quiet: bool) -> None:
    row = read_row(write_mark(Output(str(tmp_path)), Window(STREAM, 0, 900), 0, None, **more))
    assert row is not None
    assert row["window_end"] == datetime.fromtimestamp(900, UTC)
    assert is_quiet(row) is quiet
