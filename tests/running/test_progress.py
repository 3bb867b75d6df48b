"""Progress: a living line where someone looks, plain lines now and then elsewhere; figures from wherever they are told."""

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability.portable_runner import PipelineResult

from pipelines.running import progress
from pipelines.running.progress import Figures, figures_of_process, figures_of_runner
from pipelines.streams.prism import prism
from tests.conftest import run_batch, sample, write_lines
from tests.support.stream_jobs import found_prism
from transforms.counters import DECODED_EVENTS, NAMESPACE, READ_BYTES, WRITTEN_BUCKETS


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("figures", "elapsed_s", "line"),
    [
        (Figures(250, 5000, 0), 10.0, "5,000 events, 500/s, 25% read, 30 s left"),
        (Figures(1, 5, 0), 10.0, "5 events, 0/s, 0% read"),
        (Figures(1000, 20000, 0), 40.0, "20,000 events read, 500/s; written 0 of 16 buckets"),
        (Figures(1000, 20000, 3), 40.0, "20,000 events read, 500/s; written 3 of 16 buckets"),
        (Figures(0, 7, 3), 0.0, "7 events read, 7,000/s; written 3 of 16 buckets"),
        (Figures(), 35.0, "35 s; no figures yet"),
    ],
)
def test_line_tells_events_rate_share_and_time_left(figures: Figures, elapsed_s: float, line: str) -> None:
    assert progress.line(figures, 1000, 16, elapsed_s) == line


@pytest.mark.parametrize(("out", "mark"), [(Terminal(), "\r"), (io.StringIO(), "\n")], ids=["terminal", "elsewhere"])
def test_shown_while_the_block_runs(out: io.StringIO, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TERMINAL_INTERVAL_S", 0.01)
    monkeypatch.setattr(progress, "QUIET_INTERVAL_S", 0.01)
    with progress.shown(1000, 16, out):
        READ_BYTES.add(10)
        DECODED_EVENTS.add(7)
        time.sleep(0.2)
    assert "7 events" in out.getvalue()
    assert mark in out.getvalue()


def test_a_short_run_elsewhere_prints_nothing() -> None:
    out = io.StringIO()
    with progress.shown(1000, 16, out):
        DECODED_EVENTS.add(7)
    assert out.getvalue() == ""


def test_a_run_counts_from_its_own_beginning_and_from_all_threads() -> None:
    DECODED_EVENTS.add(1000)
    mine = progress.Progress()
    threads = [threading.Thread(target=lambda: [DECODED_EVENTS.add(1) for _ in range(2000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mine.figures() == Figures(0, 8000, 0)


def test_batch_run_reads_every_byte_and_counts_every_event_and_bucket(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "raw.ndjson", [sample(), b"{", b"", sample("outcomes/pass/ghostText.accepted")])
    before = figures_of_process()
    books = run_batch(source, tmp_path / "out")
    counted = Figures._make(now - then for now, then in zip(figures_of_process(), before, strict=True))
    assert (books.events, counted) == (3, Figures(source.stat().st_size, 3, 4))


class _Slow(beam.DoFn):
    """Stands still between two counts until it is told to go on."""

    counted, go_on = threading.Event(), threading.Event()

    def process(self, number: int) -> Iterator[int]:
        DECODED_EVENTS.add(number)
        _Slow.counted.set()
        assert _Slow.go_on.wait(60)
        yield number


def test_figures_are_seen_while_the_default_runner_works_and_agree_with_its_own_at_the_end() -> None:
    mine, ended = progress.Progress(), []

    def run() -> None:
        pipeline = beam.Pipeline("FnApiRunner", PipelineOptions([]))
        _ = pipeline | beam.Create([40, 2]) | beam.ParDo(_Slow())
        ended.append(pipeline.run())

    thread = threading.Thread(target=run)
    thread.start()
    assert _Slow.counted.wait(60)
    assert not ended, "the runner gives a result only at the end"
    assert mine.figures().events in (2, 40)
    _Slow.go_on.set()
    thread.join()
    assert mine.figures() == figures_of_runner(ended[0]) == Figures(0, 42, 0)


def metrics(**counts: int) -> beam_job_api_pb2.GetJobMetricsResponse:
    """What a job service answers: half of each count committed, all of it attempted, by two steps."""
    from apache_beam.metrics import monitoring_infos

    found = beam_job_api_pb2.GetJobMetricsResponse()
    for name, count in counts.items():
        for step, part in (("one", count // 2), ("two", count - count // 2)):
            info = monitoring_infos.int64_user_counter(NAMESPACE, name, part, ptransform=step)
            found.metrics.attempted.append(info)
            info = monitoring_infos.int64_user_counter(NAMESPACE, name, part // 2, ptransform=step)
            found.metrics.committed.append(info)
        foreign = monitoring_infos.int64_user_counter("another", name, 10**6, ptransform="one")
        found.metrics.attempted.append(foreign)
    return found


def portable_result(answers: Any) -> PipelineResult:
    """Beam's own result of a portable job, whose service gives these answers one after the other."""
    service = SimpleNamespace(GetJobMetrics=lambda _: next(answers))
    return PipelineResult(service, "job", iter(()), iter(()))


def test_a_portable_runner_is_asked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "ASK_INTERVAL_S", 0.0)
    mine = progress.Progress()
    answers = [metrics(), metrics(read_bytes=10, decoded_events=5), metrics(read_bytes=90, written_buckets=2)]
    mine.follow(portable_result(iter(answers)))
    assert [mine.figures() for _ in answers] == [Figures(), Figures(10, 5, 0), Figures(90, 0, 2)]


def test_a_runner_that_refuses_to_tell_leaves_the_last_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers() -> Iterator[Any]:
        yield metrics(read_bytes=10, decoded_events=5)
        raise ConnectionError("the runner is gone")

    monkeypatch.setattr(progress, "ASK_INTERVAL_S", 0.0)
    mine = progress.Progress()
    mine.follow(portable_result(answers()))
    assert [mine.figures() for _ in range(3)] == [Figures(10, 5, 0)] * 3


def test_the_larger_of_both_sources_counts_and_the_runner_is_not_asked_for_each_line() -> None:
    mine = progress.Progress()
    WRITTEN_BUCKETS.add(3)
    mine.follow(portable_result(iter([metrics(decoded_events=5, written_buckets=1)])))
    assert [mine.figures() for _ in range(5)] == [Figures(0, 5, 3)] * 5


class _OneByOne(beam.DoFn):
    """Counts for some seconds."""

    def process(self, seconds: float) -> Iterator[float]:
        for _ in range(20):
            DECODED_EVENTS.add(1)
            time.sleep(seconds / 20)
        yield seconds


def test_prism_tells_figures_while_its_job_goes_on() -> None:
    location = found_prism()
    with prism(location) as endpoint:
        flags = ["--runner=PortableRunner", f"--job_endpoint={endpoint}", "--environment_type=LOOPBACK"]
        pipeline = beam.Pipeline(options=PipelineOptions(flags))
        _ = pipeline | beam.Create([3.0]) | beam.ParDo(_OneByOne())
        result = pipeline.run()
        seen = set()
        while result.state not in ("DONE", "FAILED"):
            seen.add(figures_of_runner(result).events)
            time.sleep(0.2)
        result.wait_until_finish()
        assert figures_of_runner(result) == Figures(0, 20, 0)
    assert len(seen - {0, 20}) > 1
