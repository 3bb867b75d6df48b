"""How many processes share the work: what was given, else what the machine has and the input is worth."""

import pytest

from pipelines.batch import BatchOptions
from pipelines.options.beam_options import parse_pipeline_options
from pipelines.workers import choice
from pipelines.workers.choice import WORTH_IT_BYTES, started_workers
from pipelines.workers.room import READING_BYTES
from transforms.core.ranges import Range

MANY = "--direct_num_workers=3"
PROCESSES, THREADS = "--direct_running_mode=multi_processing", "--direct_running_mode=multi_threading"


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started, and the machine has four cores and room for all."""
    monkeypatch.setattr(choice, "Workers", lambda count: count)
    monkeypatch.setattr(choice, "usable_cores", lambda: 4)
    monkeypatch.setattr(choice, "usable_memory_bytes", lambda: 2**40)


def parts(input_bytes: int, count: int) -> list[Range]:
    """So many ranges of an input."""
    return [Range("raw", n, n + 1, input_bytes) for n in range(count - 1)] + [
        Range("raw", count - 1, None, input_bytes)
    ]


@pytest.mark.parametrize(
    ("flags", "input_bytes", "ranges", "count"),
    [
        ([], WORTH_IT_BYTES, 40, 4),
        ([], WORTH_IT_BYTES - 1, 40, 0),
        ([], WORTH_IT_BYTES, 3, 3),
        ([], WORTH_IT_BYTES, 1, 0),
        (["--runner=FnApiRunner"], WORTH_IT_BYTES, 40, 4),
        (["--runner=PortableRunner", MANY], WORTH_IT_BYTES, 40, 0),
        ([MANY], 1, 1, 3),
        (["--direct_num_workers", "3"], 1, 1, 3),
        ([MANY, PROCESSES], 1, 1, 3),
        ([MANY, THREADS], WORTH_IT_BYTES, 40, 0),
        ([PROCESSES], 1, 40, 4),
        (["--direct_num_workers=0"], 1, 40, 4),
        (["--direct_num_workers=1"], WORTH_IT_BYTES, 40, 0),
        (["--direct_running_mode=in_memory"], WORTH_IT_BYTES, 40, 0),
    ],
)
def test_number_of_workers(flags: list[str], input_bytes: int, ranges: int, count: int) -> None:
    options = parse_pipeline_options("batch", BatchOptions, (), flags)
    assert started_workers(options, parts(input_bytes, ranges), 16) == count


def test_no_more_than_memory_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    options = parse_pipeline_options("batch", BatchOptions, (), [])
    for memory_bytes, count in ((3 * READING_BYTES - 1, 2), (1, 0)):
        monkeypatch.setattr(choice, "usable_memory_bytes", lambda found=memory_bytes: found)
        assert started_workers(options, parts(WORTH_IT_BYTES, 40), 16) == count
