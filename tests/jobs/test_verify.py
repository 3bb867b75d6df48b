"""Verify finds whatever is missing, too much or strange, also where nothing is signed: see tests/verifying for the rest."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines import batch, verify
from schemas.errors import InvalidOptions, UnbalancedBooks
from tests.conftest import DATA, sample, write_lines


@pytest.fixture
def output(tmp_path: Path) -> Path:
    documents = [sample("displays/pass/ghostText.shown"), sample("outcomes/pass/ghostText.accepted"), b"{"]
    raw = write_lines(tmp_path / "raw.ndjson", documents)
    batch.run([f"--input={raw}", f"--output={tmp_path / 'out'}", f"--key_ring={DATA / 'key_ring_1'}", "--buckets=4"])
    return tmp_path / "out"


def problems(output: Path, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(UnbalancedBooks, match="do not balance"):
        verify.main([f"--datasets={output}"])
    return capsys.readouterr().out


def test_whole_output_balances(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verify.main([f"--datasets={output}"])
    assert "3 payloads, 3 events" in capsys.readouterr().out


def test_missing_file(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    next(output.glob("displays/*/*.parquet")).unlink()
    assert "ledger says rows {'displays': 1, 'outcomes': 1}, files hold {'outcomes': 1}" in problems(output, capsys)


def test_file_with_other_rows(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = next(output.glob("displays/*/*.parquet"))
    pq.write_table(pq.ParquetFile(path).read().slice(0, 0), path)
    assert "files hold {'displays': 0" in problems(output, capsys)


def test_missing_mark(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in output.glob("ledger/received_date=2026-03-29/*.parquet"):
        path.unlink()
    assert "files without a ledger row" in problems(output, capsys)


def test_books_that_were_altered(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in output.glob("ledger/received_date=2026-03-29/*.parquet"):
        table = pq.ParquetFile(path).read()
        index = table.schema.get_field_index("landed")
        pq.write_table(table.set_column(index, table.schema.field(index), [[7]]), path)
    assert "events came in" in problems(output, capsys)


def test_strange_file(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (output / "displays" / "received_date=2026-03-29" / "part-0.csv").write_text("x")
    assert "part-0.csv: not a file of this system" in problems(output, capsys)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"x" * 100, b"PAR1" + b"\xff" * 90 + b"PAR1"])
@pytest.mark.parametrize("dataset", ["displays", "ledger"])
def test_a_hostile_file_is_a_finding(
    output: Path, capsys: pytest.CaptureFixture[str], dataset: str, content: bytes
) -> None:
    path = next(output.glob(f"{dataset}/*/*.parquet"))
    path.write_bytes(content)
    found = problems(output, capsys)
    assert any(path.name in line and ("Parquet" in line or "cut off" in line) for line in found.splitlines()), found


def test_links_and_pipes_are_findings_and_nothing_is_opened(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(output / "_expired.pipe")
    (output / "_schemas" / "link.json").symlink_to("/dev/zero")
    found = problems(output, capsys)
    assert "_expired.pipe: a pipe or device" in found
    assert "_schemas/link.json: a link" in found


def test_no_output_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match="no ledger there"):
        verify.main([f"--datasets={tmp_path}"])


def test_a_stream_that_did_not_read_on_is_told() -> None:
    from datetime import UTC, date, datetime

    from transforms.core.output.continuity import breaks, lost_messages
    from transforms.core.output.layout import FileName
    from transforms.core.output.ledger import Mark

    def mark(minute: int, begin: int, end: int, lost: int = 0, part: str = "0") -> Mark:
        name = f"0123456789abcdef.20260331T10{minute:02d}00Z"
        row = {
            "input": name,
            "window_end": datetime(2026, 3, 31, 10, minute, tzinfo=UTC),
            "positions_begin": [(part, begin)],
            "positions_end": [(part, end)],
            "lost_messages": [(part, lost)] if lost else None,
        }
        return Mark(date(2026, 3, 31), FileName(name, 0), row)

    good = [mark(2, 5, 9), mark(1, 0, 5), mark(3, 9, 20, 11), mark(4, 0, 3, part="0@new"), mark(5, 20, 21)]
    assert list(breaks(good)) == []
    assert lost_messages(good) == 11
    assert "0 was read from 10 on, the window before ended at 5" in next(breaks([mark(1, 0, 5), mark(2, 10, 12)]))
    assert "6 messages of 0 are told lost of 5" in next(breaks([mark(1, 0, 5, 6)]))
    assert list(breaks([mark(1, 0, 5, part="/in/a@mtime:1"), mark(2, 0, 5, part="/in/a@mtime:1")])) == []
