"""What a ledger row vouches for."""

from datetime import date

from transforms.core.chains.run_manifest import PutFile
from transforms.core.chains.vouched import mark_day_of, other_rows, own_file, vouched_files, vouched_row
from transforms.core.output.layout import FileName
from transforms.core.output.ledger import Mark

DAY, NAME = date(2026, 3, 29), FileName("a" * 16, 0, 4)


def mark(**row: object) -> Mark:
    return Mark(DAY, NAME, {"rows": [("displays", 2)], **row}, 7, "d" * 64)


def test_a_row_vouches_for_its_files_and_a_mark_for_the_rows_of_other_days() -> None:
    told = mark(
        file_digests=[("displays", "1" * 64), (vouched_row(date(2026, 3, 28)), "2" * 64)],
        file_bytes=[("displays", 5), (vouched_row(date(2026, 3, 28)), 6)],
    )
    assert [*vouched_files(told)] == [PutFile(f"displays/received_date={DAY}/{NAME}", 5, 2, "1" * 64)]
    assert other_rows(told) == {date(2026, 3, 28): "2" * 64}
    assert own_file(told) == PutFile(f"ledger/received_date={DAY}/{NAME}", 7, 1, "d" * 64)


def test_a_row_of_an_older_version_vouches_for_nothing() -> None:
    assert [*vouched_files(mark())] == []
    assert other_rows(mark()) == {}


def test_the_day_of_a_mark_is_that_in_which_its_window_ends() -> None:
    assert mark_day_of("00000000000000aa.20260401T000000Z-0001of0004.parquet") == date(2026, 3, 31)
    assert mark_day_of("00000000000000aa.20260401T000500Z-0001of0004.parquet") == date(2026, 4, 1)
    assert mark_day_of("00000000000000aa-0001of0004.parquet") is None
    assert mark_day_of("notes.txt") is None
