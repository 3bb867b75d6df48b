"""Hostile Parquet files are findings: no traceback, no endless wait, no memory that grows without a bound."""

import io
import os
import resource
from contextlib import suppress
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.marks import STREAM, write_mark
from transforms.core.output.careful import Harmful, footer_rows, ledger_mark
from transforms.core.output.layout import DataFile, FileName, Output
from transforms.core.shuffle.windows import Window

MOST_GROWN_KB = 300_000


def parquet(rows: int = 3) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"a": pa.array(range(rows)), "b": ["x"] * rows}), out)
    return out.getvalue()


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    output = Output(str(tmp_path_factory.mktemp("row")))
    return Path(write_mark(output, Window(STREAM, 0, 300), 0)).read_bytes()


def mark_in(folder: Path, data: bytes) -> DataFile:
    (folder / "x.parquet").write_bytes(data)
    return DataFile("ledger", date(2026, 3, 29), FileName("x", 0, 1), str(folder / "x.parquet"))


def test_sound_files_are_read(tmp_path: Path, row: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet())
    assert footer_rows(str(tmp_path / "a.parquet")) == 3
    mark = ledger_mark(mark_in(tmp_path, row))
    assert (mark.row["bucket"], mark.size_bytes) == (0, len(row))


HOSTILE = {
    "empty": b"",
    "cut off": parquet()[:-7],
    "not Parquet": b"x" * 500,
    "footer length beyond the file": parquet()[:-8] + (10**9).to_bytes(4, "little") + b"PAR1",
    "no footer": b"PAR1" + (0).to_bytes(4, "little") + b"PAR1",
    "footer of zeros": b"PAR1" + b"\0" * 1000 + (1000).to_bytes(4, "little") + b"PAR1",
    # a list of two billion row groups, as thrift's compact protocol writes it
    "list without end": b"PAR1" + b"\x15\x02\x19\xfc\xff\xff\xff\xff\x07" + b"\0" * 50 + (59).to_bytes(4, "little") + b"PAR1",
    "string without end": b"PAR1" + b"\x15\x02\x18\xff\xff\xff\xff\x07" + b"\0" * 50 + (58).to_bytes(4, "little") + b"PAR1",
    "nested without end": b"PAR1" + b"\x1c" * 5000 + (5000).to_bytes(4, "little") + b"PAR1",
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_a_finding(tmp_path: Path, kind: str) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (tmp_path / "a.parquet").write_bytes(HOSTILE[kind])
    with pytest.raises(Harmful):
        footer_rows(str(tmp_path / "a.parquet"))
    with pytest.raises(Harmful):
        ledger_mark(mark_in(tmp_path, HOSTILE[kind]))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < MOST_GROWN_KB


def test_a_row_that_is_none_is_a_finding(tmp_path: Path) -> None:
    for data in (parquet(), parquet(0), parquet(1), parquet(2_000_000)):
        with pytest.raises(Harmful, match=r"one row must be|cannot be read"):
            ledger_mark(mark_in(tmp_path, data))


def test_rows_that_unfold_are_a_finding(tmp_path: Path) -> None:
    """A page that tells 1 GB of one value."""
    out = io.BytesIO()
    pq.write_table(pa.table({"rows": ["x" * 200_000_000]}), out, compression="zstd")
    with pytest.raises(Harmful, match="where one row must be"):
        ledger_mark(mark_in(tmp_path, out.getvalue()))


def test_links_and_pipes_are_never_opened(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(parquet())
    (tmp_path / "link.parquet").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe.parquet")
    for name in ("link.parquet", "pipe.parquet"):
        with pytest.raises(Harmful, match="it is a link, a pipe or a device"):
            footer_rows(str(tmp_path / name))


@given(st.data())
def test_whatever_is_flipped_is_read_or_a_finding(tmp_path_factory: pytest.TempPathFactory, row: bytes, data: st.DataObject) -> None:  # fmt: skip
    """Never another exception: a reader of C++ meets what nobody has written."""
    folder = tmp_path_factory.mktemp("flip")
    altered = bytearray(row)
    for _ in range(data.draw(st.integers(1, 6))):
        altered[data.draw(st.integers(0, len(row) - 1))] = data.draw(st.integers(0, 255))
    file = mark_in(folder, bytes(altered))
    for read in (lambda: footer_rows(file.path), lambda: ledger_mark(file)):
        with suppress(Harmful):
            read()
