"""Windows of the endless job give what one batch run gives, wherever they are cut and whatever is forgotten."""

import contextlib
import json
import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.generate import generate
from schemas.errors import UnbalancedBooks
from tests.conftest import all_rows, run_batch, sample, write_lines
from tests.support.windowed import STREAM, Timed, Windows
from transforms.core import storage
from transforms.core.blocks import Block, Taken
from transforms.core.output import stream_state
from transforms.core.output.layout import Output
from transforms.core.output.ledger import differences, imbalances, read_marks, total
from transforms.core.shuffle.windows import Window, window_end_s
from transforms.steps.write_datasets import is_whole

RUN_COLUMNS = {"published_at"}


def rows_of(output: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows but the ledger's, whose rows are of windows."""
    return {name: rows for name, rows in all_rows(output).items() if name != "ledger"}


def books(output: Path) -> tuple[Any, ...]:
    marks = read_marks(Output(str(output)))
    assert not [*imbalances(marks), *differences(Output(str(output)), marks)]
    found = total(marks)
    return (
        found.events,
        found.landed,
        found.duplicate,
        found.quarantined,
        found.withheld,
        found.late,
        found.rows,
        found.unjoined,
    )


def timed(lines: list[bytes]) -> list[Timed]:
    """Each line at its receive time, in order; what has none right after the one before it."""
    found, second = [], 0.0
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            second = datetime.fromisoformat(json.loads(line)["collector"]["received_at"]).timestamp()
        found.append((second, line))
    first = min(s for s, _ in found if s)
    return sorted(((s or first, line) for s, line in found), key=lambda item: item[0])


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], dict[str, Any], tuple[Any, ...]]:
    folder = tmp_path_factory.mktemp("day")
    generate(str(folder / "day"), 1500, 11, date(2026, 3, 31), containers=["ndjson"])
    lines = [line for path in sorted((folder / "day" / "raw").iterdir()) for line in path.read_bytes().splitlines()]
    run_batch(folder / "day" / "raw", folder / "out", "--buckets=2")
    return [line for line in lines if line.strip()], rows_of(folder / "out"), books(folder / "out")


@pytest.mark.parametrize("interval_s", [900, 7200, 43_200])
@pytest.mark.parametrize("forgets", [False, True], ids=["warm", "restarted"])
def test_windows_give_what_one_batch_run_gives(
    tmp_path: Path, day: tuple[list[bytes], dict[str, Any], tuple[Any, ...]], interval_s: int, forgets: bool
) -> None:
    count = 86_400 // interval_s
    restarts = set(random.Random(3).sample(range(count), min(count, 6))) if forgets else ()
    lines, rows, counted = day
    Windows(tmp_path).run(timed(lines), interval_s, restarts)
    assert rows_of(tmp_path) == rows
    assert books(tmp_path) == counted


def event(number: int, received: datetime, person: int, kind: str = "displays/pass/ghostText.shown") -> bytes:
    document = sample(kind)
    properties = document["data"]["baseData"]["properties"]
    properties |= {"unique_id": f"8f1d7a52-0000-4000-8000-{number:012d}", "client_machineid": f"{person:064x}"}
    for name in ("clientCompletionId", "opportunityId", "requestId"):
        if name in properties:
            properties[name] = f"d2b10000-0000-4000-8000-{number // 3:012d}"
    document["collector"]["received_at"] = received.isoformat()
    return json.dumps(document).encode()


KINDS = (
    "displays/pass/ghostText.shown", "outcomes/pass/ghostText.accepted", "endings/pass/provideInlineEdit_of_ghost_text",
    "outcomes/pass/provideInlineEdit", "outcomes/pass/next_edit_not_shown",
    "persistence_checks/pass/reportInlineEditSurvivalRate", "persistence_checks/pass/editTelemetry.reportInlineEditArc",
    "outcomes/pass/edit.hunk.action", "persistence_checks/pass/inline.trackEditSurvival",
    "redactions/pass/repetition.detected",
)  # fmt: skip
MOMENTS = st.lists(
    st.tuples(st.integers(0, 7200), st.integers(0, 5), st.sampled_from(KINDS), st.integers(-400, 400)),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=25)
@given(MOMENTS, st.sampled_from([60, 900, 1800]), st.sets(st.integers(0, 130), max_size=6))
def test_any_order_of_few_events_gives_the_same_warm_and_restarted(
    tmp_path_factory: pytest.TempPathFactory, moments: list[tuple[int, int, str, int]], interval_s: int,
    restarts: set[int],
) -> None:  # fmt: skip
    """Log time and receive time differ, and copies come again: what is kept in memory is what files tell."""
    start = datetime.fromisoformat("2026-03-31T22:50:00+00:00")
    lines = []
    for number, (second, person, kind, skew) in enumerate(moments):
        line = event(number % 7, start + timedelta(seconds=max(second + skew, 0)), person % 2, kind)
        lines.append(((start + timedelta(seconds=second)).timestamp(), line))
    lateness = timedelta(seconds=600)
    outputs = [tmp_path_factory.mktemp("windows") for _ in range(2)]
    Windows(outputs[0], lateness=lateness).run(lines, interval_s)
    Windows(outputs[1], lateness=lateness).run(lines, interval_s, restarts)
    assert rows_of(outputs[0]) == rows_of(outputs[1])
    assert books(outputs[0]) == books(outputs[1])


@settings(max_examples=25)
@given(
    st.permutations(range(9)),
    st.lists(st.integers(0, 5400), min_size=9, max_size=9),
    st.lists(st.sampled_from(KINDS), min_size=9, max_size=9),
)
def test_batch_equals_windows_for_events_of_any_kind_in_any_times(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], seconds: list[int], kinds: list[str]
) -> None:
    start = datetime.fromisoformat("2026-03-31T23:00:00+00:00")
    events = [(s, event(n, start + timedelta(seconds=s), 1, kinds[n])) for n, s in zip(order, seconds, strict=True)]
    folder = tmp_path_factory.mktemp("any")
    write_lines(folder / "raw.ndjson", [line for _, line in events])
    run_batch(folder / "raw.ndjson", folder / "batch", "--buckets=2")
    Windows(folder / "stream").run(sorted((start.timestamp() + s, line) for s, line in events), 300)
    assert rows_of(folder / "batch") == rows_of(folder / "stream")
    assert books(folder / "batch") == books(folder / "stream")


def marks_of(output: Path, bucket: int) -> list[tuple[datetime, datetime]]:
    rows = [pq.read_table(p).to_pylist()[0] for p in sorted(output.glob(f"ledger/*/*-{bucket:04d}of*.parquet"))]
    return sorted((r["window_begin"], r["window_end"]) for r in rows if r["window_events"] is not None)


def test_a_quiet_span_is_one_mark_a_day(tmp_path: Path) -> None:
    start = datetime.fromisoformat("2026-03-31T22:00:00+00:00")
    lines = [(t.timestamp(), event(n, t, 1)) for n, t in enumerate([start, start + timedelta(hours=4)])]
    Windows(tmp_path).run(lines, 60, restarts={30, 100})
    spans = [marks_of(tmp_path, bucket) for bucket in (0, 1)]
    for marks in spans:
        assert [begin for begin, _ in marks[1:]] == [end for _, end in marks[:-1]], "the marks leave nothing out"
        assert len(marks) <= 6
    assert any(end - begin >= timedelta(hours=1, minutes=50) for begin, end in spans[0])


def whole(tmp_path: Path) -> list[Window]:
    start = datetime.fromisoformat("2026-03-31T10:00:00+00:00").timestamp()
    lines = [(start + 45 * n, event(n, datetime.fromtimestamp(start + 45 * n).astimezone(), n)) for n in range(20)]
    return Windows(tmp_path).run(lines, 300)


def test_the_state_follows_from_the_ledger(tmp_path: Path) -> None:
    windows = whole(tmp_path)
    state = stream_state.recover(Output(str(tmp_path)), STREAM)
    assert state is not None
    assert state.whole_to_s == windows[0].begin_s
    rows = stream_state.advance(state)
    assert (state.whole_to_s, state.positions) == (windows[-1].end_s, {"0": 20})
    assert sum(row["window_events"] for row in rows) == 20
    assert stream_state.load(Output(str(tmp_path)), STREAM) == state
    assert stream_state.advance(state) == []


def test_a_window_that_one_bucket_has_not_marked_is_not_whole_and_is_removed(tmp_path: Path) -> None:
    windows = whole(tmp_path)
    marks = sorted(tmp_path.glob("ledger/*/*-0001of*.parquet"))
    for mark in marks:
        if (window_end_s(mark.name.rpartition("-")[0], STREAM) or 0) > windows[1].end_s:
            mark.unlink()
    state = stream_state.recover(Output(str(tmp_path)), STREAM)
    assert state is not None
    stream_state.advance(state)
    assert state.whole_to_s == windows[1].end_s
    assert stream_state.remove_unfinished(state) > 0
    left = {window_end_s(p.name.rpartition("-")[0], STREAM) for p in tmp_path.glob("*/*/*.parquet")}
    assert max(end for end in left if end) == windows[1].end_s
    assert not [
        *imbalances(read_marks(Output(str(tmp_path)))),
        *differences(Output(str(tmp_path)), read_marks(Output(str(tmp_path)))),
    ]


@pytest.mark.parametrize("ahead_s", [300, 900], ids=["a window ahead", "one long window"])
@pytest.mark.parametrize("starts_again", [True, False], ids=["new start", "checkpoint from before"])
def test_a_quiet_span_of_one_bucket_may_reach_beyond_what_is_whole(
    tmp_path: Path, ahead_s: int, starts_again: bool
) -> None:
    """One bucket's mark has grown, the other's has not, when the job dies: what was seen before is not forgotten."""
    start = datetime.fromisoformat("2026-03-31T10:00:00+00:00")
    begin_s = int(start.timestamp())
    moments = [start + timedelta(seconds=45 * n) for n in (*range(20), *range(60, 64))]
    lines = [(t.timestamp(), event(n, t, n)) for n, t in enumerate(moments)]

    def publish_to(output: str, from_s: int, to_s: int) -> Windows:
        windows = Windows(tmp_path / output, horizon=timedelta(minutes=5))
        for window_s in range(from_s, to_s, 300):
            due = [n for n, (second, _) in enumerate(lines) if window_s <= second < window_s + 300]
            taken = [Taken("0", due[0], due[-1] + 1)] if due else []
            block = Block(lines=[lines[n][1] for n in due], taken=taken)
            windows.publish(Window(STREAM, window_s, window_s + 300), block)
        return windows

    publish_to("undisturbed", begin_s, begin_s + 3000)
    whole_to_s = begin_s + 1800
    windows = publish_to("out", begin_s, whole_to_s)
    windows.publish(Window(STREAM, whole_to_s, whole_to_s + ahead_s), Block(), buckets=[0])
    if starts_again:
        state = stream_state.StreamState(Output(str(tmp_path / "out")), STREAM, begin_s)
        stream_state.advance(state)
        assert state.whole_to_s == whole_to_s
        stream_state.remove_unfinished(state)
    publish_to("out", whole_to_s, begin_s + 3000)
    assert rows_of(tmp_path / "out") == rows_of(tmp_path / "undisturbed")
    assert books(tmp_path / "out") == books(tmp_path / "undisturbed")
    if starts_again:
        for bucket in (0, 1):
            assert marks_of(tmp_path / "out", bucket) == marks_of(tmp_path / "undisturbed", bucket)


def test_what_does_not_balance_or_follow_on_stops(tmp_path: Path) -> None:
    windows = whole(tmp_path)
    state = stream_state.StreamState(Output(str(tmp_path)), STREAM, windows[0].begin_s, {"0": 3})
    with pytest.raises(UnbalancedBooks, match="0 was read from 0 on, the window before ended at 3"):
        stream_state.advance(state)
    path = next(
        p for p in sorted(tmp_path.glob("ledger/*/*-0000of*.parquet")) if pq.read_table(p)["window_events"][0].as_py()
    )
    table = pq.read_table(path, partitioning=None)
    table = table.set_column(
        table.column_names.index("window_events"), table.schema.field("window_events"), pa.array([999])
    )
    pq.write_table(table, path)
    state = stream_state.StreamState(Output(str(tmp_path)), STREAM, windows[0].begin_s)
    with pytest.raises(UnbalancedBooks, match=r"the source read .* events, 20 are accounted for"):
        stream_state.advance(state)
    assert not storage.exists(f"{tmp_path}/_stream-{STREAM}.json"), "the state stays before that window"


def test_a_whole_window_is_not_written_again(tmp_path: Path) -> None:
    windows = whole(tmp_path)
    state = stream_state.recover(Output(str(tmp_path)), STREAM)
    assert state is not None
    assert not is_whole(Output(str(tmp_path)), windows[0])
    state.whole_to_s = windows[1].end_s
    state.save()
    assert [is_whole(Output(str(tmp_path)), w) for w in windows[:3]] == [True, True, False]
