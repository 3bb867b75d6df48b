"""What no manifest vouches for yet, by names alone."""

from pathlib import Path

from tests.support.marks import STREAM
from transforms.core.chains.unsigned_files import UnsignedFiles
from transforms.core.output.layout import Output
from transforms.core.output.stream_state import StreamState

DAY = "displays/received_date=2026-03-29"


def window(end: str, stream: str = STREAM) -> str:
    return f"{DAY}/{stream}.20260329T{end}Z-0001of0004.parquet"


def test_windows_after_the_last_signed_one_and_inputs_that_are_noted(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    (tmp_path / "_unsigned").mkdir()
    (tmp_path / "_unsigned" / "00000000000000aa.json").write_text("{}")
    noon_s = 1_774_785_600
    unsigned = UnsignedFiles(output, {STREAM: noon_s})
    assert window("120000") not in unsigned
    assert window("120500") in unsigned
    assert f"{DAY}/00000000000000aa-0000of0004.parquet" in unsigned
    assert f"{DAY}/00000000000000ab-0000of0004.parquet" not in unsigned
    assert "_erased/record.json" not in unsigned
    assert f"{DAY}/compacted-00000000000000aa-0-0000of0001.parquet" not in unsigned


def test_a_stream_of_which_nothing_is_signed_and_one_that_nobody_knows(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    StreamState(output, STREAM, 0).save()
    unsigned = UnsignedFiles(output, {})
    assert window("120000") in unsigned
    assert window("120000", "00000000000000bb") not in unsigned
