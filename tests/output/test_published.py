"""What was published before a portion is read, all of it and nothing else: never its own, never a later window's."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StorageUnavailable
from schemas.registry import load
from tests.conftest import landing
from tests.support.facts import batch_of, fact
from tests.support.marks import STREAM, write_mark
from transforms.core import storage
from transforms.core.output.layout import FileName, Output
from transforms.core.output.parquet import parquet_bytes
from transforms.core.output.published import PublishedRows, days_around, key_column, whole_days
from transforms.core.shuffle.windows import Portion, Window, of_window
from transforms.core.times import UNKNOWN_DATE

DAY = date(2026, 3, 31)
WINDOWS = [Window(STREAM, 900 * n, 900 * (n + 1)) for n in range(4)]


def id_of(key: str) -> str:
    """A short text as the id of an event."""
    return key.encode().hex().rjust(32, "0")


def texts(ids: pa.ChunkedArray) -> list[str]:
    return [bytes.fromhex(each).lstrip(b"\0").decode() for each in ids.to_pylist()]


def write_keys(output: Output, day: date, name: FileName, keys: list[str], slots: list[int] | None = None) -> None:
    of_rows = slots or [None] * len(keys)
    rows = [fact("displays", 0, 0, event_id=id_of(key), slot_code=s)[1] for key, s in zip(keys, of_rows, strict=True)]
    table = pa.Table.from_batches([batch_of("displays", rows)]).cast(load("displays").arrow)
    table = landing().to_files("displays", table)
    storage.write_atomic(output.file("displays", day, name), parquet_bytes("displays", table, None))


def parquet_bytes_of(table: pa.Table) -> bytes:
    out = pa.BufferOutputStream()
    pq.write_table(table, out)
    return out.getvalue().to_pybytes()


def keys_before(output: Output, portion: Portion) -> list[str]:
    rows = PublishedRows(output.listing(), portion, landing()).read("displays", [DAY], ["event_id"])
    return sorted(texts(rows["event_id"])) if rows.num_rows else []


def test_a_batch_reads_other_inputs_of_its_bucket(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    for source, bucket in (("a", 0), ("b", 0), ("b", 1), ("c", 0)):
        write_keys(output, DAY, FileName(source, bucket, 2), [f"{source}{bucket}"])
    assert keys_before(output, Portion("a", 0, None, 2)) == ["b0", "c0"]
    assert keys_before(output, Portion("b", 1, None, 2)) == []
    assert keys_before(output, Portion("z", 1, None, 2)) == ["b1"]


@given(st.lists(st.tuples(st.integers(0, 11), st.sampled_from([1, 2, 3, 4, 12])), max_size=12), st.integers(1, 12))
def test_other_numbers_of_buckets_change_nothing_of_who_is_read(
    tmp_path_factory: pytest.TempPathFactory, people: list[tuple[int, int]], buckets: int
) -> None:
    """Each of twelve slots was written under some number of buckets. All of its rows are read, and nobody else's."""
    output = Output(str(tmp_path_factory.mktemp("slots")))
    files: dict[FileName, list[int]] = {}
    for slot, of in people:
        files.setdefault(FileName(f"in{of}", slot % of, of), []).append(slot)
    for name, slots in files.items():
        write_keys(output, DAY, name, [f"{slot:02d}" for slot in slots], slots)
    for bucket in range(buckets):
        expected = sorted(f"{slot:02d}" for slot, _ in people if slot % buckets == bucket)
        assert keys_before(output, Portion("z", bucket, None, buckets)) == expected


def test_rows_of_an_older_version_are_of_the_slot_in_their_file_s_name(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    for bucket in range(4):
        rows = [fact("displays", 0, 0, event_id=id_of(f"{bucket}"))[1]]
        table = pa.Table.from_batches([batch_of("displays", rows)]).drop_columns(["slot_code"])
        path = output.file("displays", DAY, FileName("old", bucket))
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    as_they_were = landing("9999-12")
    rows = PublishedRows(output.listing(), Portion("z", 1, None, 2), as_they_were)
    found = rows.read("displays", [DAY], ["slot_code", "event_id"])
    assert (found["slot_code"].to_pylist(), texts(found["event_id"])) == ([1, 3], ["1", "3"])


def test_rows_of_the_version_before_name_their_slot_unmasked(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    facts = [fact("displays", 0, 0, event_id=id_of(f"{slot}"), slot_code=slot)[1] for slot in range(4)]
    table = pa.Table.from_batches([batch_of("displays", facts)])
    table = table.rename_columns(["slot" if name == "slot_code" else name for name in table.column_names])
    storage.write_atomic(output.file("displays", DAY, FileName("old", 0, 1)), parquet_bytes_of(table))
    rows = PublishedRows(output.listing(), Portion("z", 1, None, 2), landing("9999-12"))
    found = rows.read("displays", [DAY], ["event_id", "slot_code"])
    assert (texts(found["event_id"]), found["slot_code"].to_pylist()) == (["1", "3"], [1, 3])
    assert rows.read("displays", [DAY], ["event_id"]).column_names == ["event_id"]


def test_rows_that_lost_their_slot_are_read_by_every_bucket(tmp_path: Path) -> None:
    """As compaction leaves those of older versions."""
    output = Output(str(tmp_path))
    write_keys(output, DAY, FileName("a", 0, 1), ["0", "1", "x"], [0, 1, None])  # type: ignore[list-item]
    assert [keys_before(output, Portion("z", bucket, None, 2)) for bucket in (0, 1)] == [["0", "x"], ["1", "x"]]


def test_a_window_reads_windows_before_it_and_other_inputs(tmp_path: Path) -> None:
    """Windows after it may be there: a killed run has left them."""
    output = Output(str(tmp_path))
    for number, window in enumerate(WINDOWS):
        write_keys(output, DAY, FileName(window.name, 0, 1), [str(number)])
    write_keys(output, DAY, FileName("batch", 0, 1), ["batch"])
    assert [keys_before(output, of_window(w, 0)) for w in WINDOWS] == [
        ["batch"], ["0", "batch"], ["0", "1", "batch"], ["0", "1", "2", "batch"],
    ]  # fmt: skip


def test_only_the_days_that_are_asked_for_and_only_folders_that_are_there(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    for n in range(5):
        write_keys(output, DAY + timedelta(days=n), FileName("a", 0, 1), [str(n)])
    rows = PublishedRows(output.listing(), Portion("z", 0), landing())
    assert rows.days("displays", DAY + timedelta(days=1), DAY + timedelta(days=9)) == [
        DAY + timedelta(days=n) for n in range(1, 5)
    ]
    assert rows.read("displays", [DAY, DAY + timedelta(days=3)], ["event_id"]).num_rows == 2
    assert rows.read("displays", [], ["event_id"]).num_rows == 0
    assert rows.days("errors", date.min, date.max) == []


def test_a_file_that_is_gone_since_it_was_listed_stops_the_run(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    write_keys(output, DAY, FileName("a", 0, 1), ["x"])
    rows = PublishedRows(output.listing(), Portion("z", 0), landing())
    assert rows.days("displays", DAY, DAY) == [DAY]
    assert rows.read("displays", [DAY], ["event_id"]).num_rows == 1
    Path(output.file("displays", DAY, FileName("a", 0, 1))).unlink()
    with pytest.raises(StorageUnavailable):
        rows.read("displays", [DAY], ["event_id"])


@given(
    st.sets(st.dates(date(2026, 3, 1), date(2026, 3, 9)), min_size=1, max_size=3),
    st.integers(0, 100),
    st.integers(-99, 99),
)
def test_days_around_hold_every_row_that_may_be_a_copy(days: set[date], lookback_h: int, apart_h: int) -> None:
    lookback = timedelta(hours=lookback_h)
    near = days_around(days, lookback)
    assert near == sorted(set(near))
    assert len(near) <= len(days) * (2 * whole_days(lookback) + 1)
    if abs(apart_h) <= lookback_h:
        for day in days:
            for hour in (0, 12, 23):
                own = datetime(day.year, day.month, day.day, hour, 59, tzinfo=UTC)
                assert (own + timedelta(hours=apart_h)).date() in near


def test_rows_of_an_unknown_time_are_compared_among_themselves() -> None:
    assert days_around([UNKNOWN_DATE], timedelta(days=3)) == [UNKNOWN_DATE]


@pytest.mark.parametrize(("span_s", "days"), [(0, 0), (1, 1), (86_400, 1), (86_401, 2), (172_800, 2)])
def test_days_are_rounded_up(span_s: int, days: int) -> None:
    assert whole_days(timedelta(seconds=span_s)) == days


def test_keys_of_datasets() -> None:
    assert (key_column("displays"), key_column("quarantine")) == ("event_id", "payload_id")


def test_the_mark_of_the_window_before(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    write_mark(output, WINDOWS[0], 0, {"0": (0, 3)}, 2)
    write_mark(output, WINDOWS[1], 1, {"0": (3, 4)}, 2)
    write_mark(output, Window(STREAM, 900, 2700), 0, None, 2)  # quiet from the end of the first on
    rows = PublishedRows(output.listing(), of_window(WINDOWS[3], 0, 2), landing())

    def begin_of(boundary_s: int) -> float | None:
        mark = rows.mark_at(STREAM, boundary_s)
        return None if mark is None else mark["window_begin"].timestamp()

    assert begin_of(900) == 0
    assert begin_of(1800) == 900  # it lies within the quiet span
    assert begin_of(2700) == 900
    assert begin_of(3600) is None
    assert rows.mark_at("fedcba9876543210", 900) is None
    assert PublishedRows(output.listing(), of_window(WINDOWS[3], 1, 2), landing()).mark_at(STREAM, 900) is None


def test_the_mark_of_a_window_that_had_another_number_of_buckets(tmp_path: Path) -> None:
    """It tells the clock, which all buckets share; of the quiet span nothing can be swallowed, so it ends there."""
    output, time = Output(str(tmp_path)), datetime.fromtimestamp(800, UTC)
    write_mark(output, WINDOWS[0], 1, {"0": (0, 3)}, 2, latest_received_at=time)
    write_mark(output, Window(STREAM, 900, 2700), 1, None, 2, latest_received_at=time)
    rows = PublishedRows(output.listing(), of_window(WINDOWS[3], 4, 5), landing())
    for boundary_s in (900, 1800, 2700):
        mark = rows.mark_at(STREAM, boundary_s)
        assert mark is not None
        assert (mark["latest_received_at"], mark["window_begin"].timestamp()) == (time, boundary_s)
    assert rows.mark_at(STREAM, 3600) is None
