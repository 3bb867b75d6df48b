"""Windows of a log as Beam gives them out: in order, without a gap, each piece in one of them, late ones in the next."""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_stream
from apache_beam.transforms.window import TimestampedValue
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.core.shuffle.pieces import Sealed, quiet_piece
from transforms.core.shuffle.windows import Portion
from transforms.steps.group_by_window import GroupByWindow

INTERVAL_S, START_S, UNTIL_S, BUCKETS = 60, 630, 1020, 2
SEEN: list[tuple[Portion, list[bytes]]] = []


def note(grouped: tuple[Portion, Iterable[bytes]]) -> None:
    SEEN.append((grouped[0], list(grouped[1])))


def by_bucket() -> dict[int, list[tuple[int, int, list[bytes]]]]:
    """Begin, end and pieces of each window, in the order in which they came."""
    found: dict[int, list[tuple[int, int, list[bytes]]]] = defaultdict(list)
    for portion, pieces in SEEN:
        assert portion.window is not None
        assert portion.input == portion.window.name
        found[portion.bucket].append((portion.window.begin_s, portion.window.end_s, sorted(pieces)))
    return found


def grouped(told: list[tuple[float, Sealed]], quiet: list[tuple[float, Sealed]] = []) -> dict[int, list[Any]]:  # noqa: B006
    """What comes of a bounded log: pieces by the second at which they are in it."""
    SEEN.clear()
    with beam.Pipeline("FnApiRunner", PipelineOptions([])) as pipeline:
        pieces, spans = (
            pipeline | name >> beam.Create(some) | f"{name}At" >> beam.MapTuple(lambda at_s, piece: TimestampedValue(piece, at_s)).with_output_types(Sealed)
            for name, some in (("Pieces", told), ("Spans", quiet))
        )  # fmt: skip
        _ = pieces | GroupByWindow("s", INTERVAL_S, BUCKETS, START_S, UNTIL_S, spans) | beam.Map(note)
    return by_bucket()


BOUNDARIES_S = [START_S, *range(660, UNTIL_S + 1, INTERVAL_S)]
PIECES = st.lists(st.tuples(st.integers(START_S, UNTIL_S - 1), st.integers(0, BUCKETS - 1)), max_size=12)


@settings(max_examples=6)
@given(PIECES)
def test_each_piece_is_in_the_window_of_its_time_and_windows_leave_no_gap(told: list[tuple[int, int]]) -> None:
    pieces = [(float(at_s), (bucket, b"piece %02d at %d" % (n, at_s))) for n, (at_s, bucket) in enumerate(told)]
    found = grouped(pieces)
    for bucket in range(BUCKETS):
        assert [(begin, end) for begin, end, _ in found[bucket]] == list(itertools.pairwise(BOUNDARIES_S))
        for begin_s, end_s, held in found[bucket]:
            assert held == sorted(p for at_s, (b, p) in pieces if b == bucket and begin_s <= at_s < end_s)


@pytest.mark.parametrize(("at_s", "end_s"), [(719.999999, 720), (720.0, 780), (720.000001, 780)])
def test_a_piece_at_a_boundary_is_in_the_window_that_begins_there(at_s: float, end_s: int) -> None:
    found = grouped([(at_s, (1, b"a piece of bytes"))])
    assert [end for _, end, held in found[1] if held] == [end_s]


class _Advance:
    """A log of one bucket as it comes in time: what arrives while the watermark stands where."""

    def __init__(self) -> None:
        self.stream = test_stream.TestStream(coder=beam.coders.FastPrimitivesCoder())

    def piece(self, at_s: int, piece: bytes) -> "_Advance":
        self.stream = self.stream.add_elements([TimestampedValue((0, piece), at_s)])
        return self

    def watermark(self, at_s: int) -> "_Advance":
        self.stream = self.stream.advance_watermark_to(at_s)
        return self

    def windows(self) -> list[tuple[int, int, list[bytes]]]:
        SEEN.clear()
        options = PipelineOptions(["--streaming", "--allow_unsafe_triggers"])
        with beam.Pipeline("BundleBasedDirectRunner", options) as pipeline:
            pieces = pipeline | self.stream.advance_watermark_to_infinity()
            _ = (
                pieces
                | beam.Map(lambda piece: piece).with_output_types(Sealed)
                | GroupByWindow("s", INTERVAL_S, 1, START_S, UNTIL_S)
                | beam.Map(note)
            )
        return by_bucket()[0]


def test_a_late_piece_is_in_the_next_window_and_nothing_is_lost() -> None:
    log = (
        _Advance()
        .watermark(START_S)
        .piece(640, b"on time....")
        .watermark(700)
        .piece(650, b"late.......")
        .watermark(770)
    )
    held = {end_s: pieces for _, end_s, pieces in log.piece(765, b"at last....").windows() if pieces}
    assert held == {660: [b"on time...."], 720: [b"late......."], 780: [b"at last...."]}


def test_a_quiet_span_is_one_long_window() -> None:
    found = grouped([(640.0, (0, b"a piece of bytes"))], [(700.0, (b, quiet_piece(1000))) for b in range(BUCKETS)])
    for bucket in range(BUCKETS):
        spans = [(begin, end) for begin, end, _ in found[bucket]]
        assert [begin for begin, _ in spans[1:]] == [end for _, end in spans[:-1]]
        assert (spans[0][0], spans[-1][1]) == (START_S, UNTIL_S)
    assert [(end, held) for _, end, held in found[0] if held] == [(660, [b"a piece of bytes"])], (
        "it waits for no silence"
    )
    assert [(begin, end) for begin, end, _ in found[1]] == [(START_S, 960), (960, UNTIL_S)]
