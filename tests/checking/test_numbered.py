"""Numbered lines: the same ones that the jobs cut, each with its number, wherever the chunks end."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipelines.checking.numbered import NumberedBlock, NumberingCutter, numbered_blocks
from tests.reading.test_lines import MARKED, cut
from transforms.core import storage
from transforms.core.blocks import MAX_PAYLOAD_BYTES


@given(data=MARKED, ends=st.lists(st.integers(0, 40), max_size=5))
def test_the_lines_are_those_of_the_jobs_and_stand_where_their_numbers_say(data: bytes, ends: list[int]) -> None:
    cutter, at = NumberingCutter(), 0
    for end in [*sorted(ends), len(data)]:
        cutter.feed(data[at:end])
        at = max(at, end)
    cutter.finish()
    block = cutter.drain()
    assert isinstance(block, NumberedBlock)
    assert block.lines == cut(data, ends).drain().lines
    physical = data.split(b"\n")
    bare = [physical[number - 1].removeprefix(b"\xef\xbb\xbf") for number in block.line_numbers]
    assert [line.removeprefix(b"\xef\xbb\xbf") for line in block.lines] == [
        b.removeprefix(b"\xef\xbb\xbf") for b in bare
    ]
    assert block.line_numbers == sorted(set(block.line_numbers))


def test_blank_lines_count_and_a_line_that_is_too_long_has_its_number(tmp_path: Path) -> None:
    path = tmp_path / "raw.ndjson"
    path.write_bytes(b"\n{}\n \n" + b"x" * (MAX_PAYLOAD_BYTES + 1) + b"\n{}")
    (block,) = numbered_blocks(storage.expand_inputs([str(path)])[0])
    assert isinstance(block, NumberedBlock)
    assert (block.line_numbers, block.unreadable_numbers) == ([2, 5], [4])
