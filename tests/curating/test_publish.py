"""The files of a portion: in an order that lets any failure be made whole, with bytes that repeat, and none left over."""

import hashlib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import StorageUnavailable
from tests.conftest import KEY_RING, landing
from tests.support.facts import NOON, fact, tables_of
from tests.support.windowed import STREAM
from transforms.core import storage
from transforms.core.curating.curate import Clock, CuratedBucket
from transforms.core.curating.publish import Publisher, days_left_by, range_facts
from transforms.core.keys.open_ring import open_roles, open_row_proof
from transforms.core.output.books import Books
from transforms.core.output.layout import Output
from transforms.core.output.ledger import differences, imbalances, read_marks
from transforms.core.shuffle.windows import Portion, Window, of_window

NOON_S = int(NOON.timestamp())
DAY = NOON.date()
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)
FACTS = [fact(name, n, 86_400 * days) for n, (name, days) in enumerate(
    [("displays", 0), ("outcomes", 0), ("displays", 1), ("errors", -1)])]  # fmt: skip
BATCH = Portion("ba" * 8, 2, None, 4)
WINDOW = of_window(Window(STREAM, NOON_S, NOON_S + 300), 2, 4)


def curated_of(portion: Portion, **more: Any) -> CuratedBucket:
    tables = tables_of([(d, {k: v for k, v in f.items() if d != "errors" or k != "suggestion_id"}) for d, f in FACTS])
    counts = {day: Books() for _, day in tables}
    for (dataset, day), table in tables.items():
        counts[day].add("rows", dataset, table.num_rows)
        counts[day].events += table.num_rows
        counts[day].landed += table.num_rows
    return CuratedBucket(portion, tables, counts, Clock(NOON, 0, 5), **more)


def publisher(folder: Path) -> Publisher:
    """As a worker that has just started makes it: it lists what lies there."""
    return Publisher(Output(str(folder)).listing(), open_roles(KEY_RING), open_row_proof(KEY_RING), landing())


def digests(folder: Path) -> dict[str, str]:
    """Every file by its bytes; of ledger rows of windows, which tell when they were written, by name alone."""
    files = sorted(p for p in folder.glob("*/*/*") if p.is_file())
    return {
        str(p.relative_to(folder)): ""
        if p.parts[-3] == "ledger" and STREAM in p.name
        else hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
    }


def is_whole(folder: Path) -> bool:
    marks = read_marks(Output(str(folder)))
    return bool(marks) and not [*imbalances(marks), *differences(Output(str(folder)), marks)]


class Writes:
    """Files in the order in which they are written or removed; the write of one number fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails_at: int | None = None) -> None:
        self.told: list[tuple[str, str]] = []
        self.fails_at = fails_at
        for name in ("write_atomic", "remove"):
            monkeypatch.setattr(storage, name, self._noted(name, getattr(storage, name)))

    def _noted(self, name: str, real: Any) -> Any:
        def called(path: str, *args: Any) -> None:
            self.told.append((name, path))
            if self.fails_at == len(self.told) - 1:
                raise StorageUnavailable("the disk is full")
            real(path, *args)

        return called


@pytest.mark.parametrize("portion", [BATCH, WINDOW], ids=["batch", "window"])
def test_ledger_rows_come_last_and_of_a_window_its_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portion: Portion
) -> None:
    writes = Writes(monkeypatch)
    publisher(tmp_path).publish(curated_of(portion), [])
    kinds = [Path(path).parts[-3] for _, path in writes.told]
    assert kinds == [*(k for k in kinds if k != "ledger"), *["ledger"] * 3]
    days = [Path(path).parts[-2].removeprefix("received_date=") for _, path in writes.told][-3:]
    expected = [BEFORE, DAY, AFTER] if portion is BATCH else [BEFORE, AFTER, DAY]
    assert days == [str(day) for day in expected]
    assert is_whole(tmp_path)


@pytest.mark.parametrize("portion", [BATCH, WINDOW], ids=["batch", "window"])
def test_the_same_again_gives_the_same_bytes(tmp_path: Path, portion: Portion) -> None:
    publisher(tmp_path).publish(curated_of(portion), [])
    once = digests(tmp_path)
    publisher(tmp_path).publish(curated_of(portion), [BEFORE, DAY])
    assert digests(tmp_path) == once


@pytest.mark.parametrize("fails_at", range(7))
@pytest.mark.parametrize("portion", [BATCH, WINDOW], ids=["batch", "window"])
def test_a_failure_at_any_write_is_made_whole_by_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portion: Portion, fails_at: int
) -> None:
    publisher(tmp_path / "undisturbed").publish(curated_of(portion), [])
    with monkeypatch.context() as patched:
        Writes(patched, fails_at)
        with pytest.raises(StorageUnavailable, match="the disk is full"):
            publisher(tmp_path / "out").publish(curated_of(portion), [])
    mark = f"ledger/received_date={DAY}/{portion.input}-0002.parquet"
    assert portion is BATCH or not (tmp_path / "out" / mark).exists(), "the mark stands though not all is written"
    publisher(tmp_path / "out").publish(curated_of(portion), [])
    assert digests(tmp_path / "out") == digests(tmp_path / "undisturbed")
    assert is_whole(tmp_path / "out")


def test_what_a_run_leaves_out_now_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """The same input again, of which nothing lands any more; another bucket and another input keep their files."""
    kept = [Portion(BATCH.input, 1, None, 4), Portion("bb" * 8, 2, None, 4)]
    for portion in (BATCH, *kept):
        publisher(tmp_path).publish(curated_of(portion), [])
    left = days_left_by(Output(str(tmp_path)), BATCH.input, 4)
    assert left == {(BATCH.input, 1): [BEFORE, DAY, AFTER], (BATCH.input, 2): [BEFORE, DAY, AFTER]}
    publisher(tmp_path).publish(CuratedBucket(BATCH), left[BATCH.input, 2])
    assert {(p.stem) for p in tmp_path.glob("*/*/*.parquet")} == {f"{p.input}-{p.bucket:04d}of0004" for p in kept}
    assert days_left_by(Output(str(tmp_path)), BATCH.input, 4) == {(BATCH.input, 1): [BEFORE, DAY, AFTER]}
    assert is_whole(tmp_path)


def test_days_left_are_those_of_unfinished_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        Writes(patched, fails_at=4)
        with pytest.raises(StorageUnavailable):
            publisher(tmp_path).publish(curated_of(BATCH), [])
    assert not list(tmp_path.glob("ledger/*/*"))
    assert {*days_left_by(Output(str(tmp_path)), BATCH.input, 4)} == {(BATCH.input, 2)}
    assert days_left_by(Output(str(tmp_path)), "bb" * 8, 4) == {}
    assert days_left_by(Output(str(tmp_path / "new")), BATCH.input, 4) == {}


def test_the_mark_of_a_grown_quiet_span_replaces_the_shorter_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = CuratedBucket(WINDOW)
    publisher(tmp_path).publish(first, [])
    window = Window(STREAM, NOON_S + 300, NOON_S + 600)
    second = CuratedBucket(of_window(window, 2, 4), quiet_since_s=NOON_S)
    writes = Writes(monkeypatch)
    publisher(tmp_path).publish(second, [])
    assert [name for name, _ in writes.told] == ["write_atomic", "remove"], "there is a mark at any time"
    (row,) = [mark.row for mark in read_marks(Output(str(tmp_path)))]
    assert (row["window_begin"].timestamp(), row["window_end"].timestamp()) == (NOON_S, window.end_s)


def test_the_mark_sums_the_days_of_its_window(tmp_path: Path) -> None:
    publisher(tmp_path).publish(curated_of(WINDOW, taken={"1": (7, 9), "0": (2, 5)}), [])
    rows = {mark.day: mark.row for mark in read_marks(Output(str(tmp_path)))}
    assert {day: row["window_events"] for day, row in rows.items()} == {BEFORE: None, DAY: 4, AFTER: None}
    assert (rows[DAY]["window_accounted"], rows[DAY]["window_rows"]) == (4, 4)
    assert (rows[DAY]["positions_begin"], rows[DAY]["positions_end"]) == ([("0", 2), ("1", 7)], [("0", 5), ("1", 9)])
    assert rows[BEFORE]["positions_end"] is None


@pytest.mark.parametrize(("bucket", "window"), [(0, None), (1, None), (0, WINDOW.window)])
def test_ranges_stand_once_for_an_input(bucket: int, window: Window | None) -> None:
    portion = Portion("x", bucket, window, 4)
    curated = curated_of(portion, ranges={"b": (7, 1), "a": (5, 0)})
    told = [range_facts(curated, day) for day in sorted(curated.counts)]
    once = {"range_bytes": [("a", 5), ("b", 7)], "range_payloads": [("a", 0), ("b", 1)]}
    assert told == [{}, {}, once if bucket == 0 and window is None else {}]


def test_what_is_published_is_not_changed(tmp_path: Path) -> None:
    curated = curated_of(WINDOW)
    before = {key: t.to_pylist() for key, t in curated.tables.items()}, {d: b.copy() for d, b in curated.counts.items()}
    publisher(tmp_path).publish(curated, [date(2020, 1, 1)])
    assert ({key: t.to_pylist() for key, t in curated.tables.items()}, curated.counts) == before
